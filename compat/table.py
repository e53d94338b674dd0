"""The README's table of what became of TF1's input API, made of the registry that the code uses.

python -m compat.table             prints it
python -m compat.table README.md   writes it between the two comments of that file
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

from compat.registry import TABLE, Row

_BEGIN = "<!-- `make table` writes what stands between these two comments. -->\n"
_END = "<!-- end of the table -->\n"


def table(rows: Sequence[Row] = TABLE) -> str:
    """The table in Markdown; neighbours that differ only in their names are one line.

    >>> from compat.registry import How
    >>> print(table([Row(name, How.DATASET, remark="fast") for name in ("train.a", "b")]))
    | TF1 | runs on | |
    |---|---|---|
    | `train.a`, `b` | dataset | fast |
    """
    lines = ["| TF1 | runs on | |", "|---|---|---|"]
    for (how, remark), group in itertools.groupby(rows, lambda row: (row.how, row.remark)):
        names = ", ".join(f"`{row.name}`" for row in group)
        lines.append(f"| {names} | {how.value} | {remark} |")
    return "\n".join(lines)


def with_table(text: str) -> str:
    """`text` with the table between the two comments.

    Raises:
      ValueError: they are not there.
    """
    if _BEGIN not in text or _END not in text:
        raise ValueError(f"the text has no place for the table: {_BEGIN.strip()} … {_END.strip()}")
    before, rest = text.split(_BEGIN)
    after = rest.split(_END)[1]
    return f"{before}{_BEGIN}\n{table()}\n\n{_END}{after}"


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, help="where to write the table")
    file = parser.parse_args().file
    if file is None:
        print(table())
    else:
        file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
