"""Tells Python 2 source from a typing error, by the line at which Python 3 gave up."""

from __future__ import annotations

import re

# 2to3 (lib2to3) left Python in 3.13, and futurize needs it; modernize brings its own.
REMEDY = (
    "convert the program first, all its files at once: "
    "`pip install modernize`, then `python -m modernize -w FILES`"
)

# A pattern, in the line or in Python's message, and what it is.
_CONSTRUCTS: tuple[tuple[str, str], ...] = (
    (r"call to 'print'|(^|[\s:;])print\s+[^\s=(.]", "the print statement"),
    (r"call to 'exec'|(^|[\s:;])exec\s+[^\s=(.]", "the exec statement"),
    (r"^\s*except\s.+,\s*\w+\s*:", "`except Error, name`"),
    (r"^\s*raise\s+[\w.]+\s*,", "`raise Error, value`"),
    (r"`", "backticks for repr()"),
    (r"<>", "the operator <>"),
    (r"(?<![\w.])0[0-7]+(?![\w.])", "an octal number without 0o"),
    (r"(?<![\w.])(0[xX][\da-fA-F]+|\d+)[lL]\b", "a long integer (10L)"),
    (r"\b[uU][rR]['\"]", "a ur'' string"),
    (r"(^|\s)def\s+\w+\s*\(.*\(.*\).*\)\s*:", "a tuple among the parameters"),
    (r"\blambda\s*[^:]*\(", "a tuple among the parameters"),
    (r"inconsistent use of tabs and spaces", "tabs mixed with spaces"),
)


def construct(error: SyntaxError) -> str | None:
    """Names the Python 2 construct that `error` is about; None if it is not Python 2.

    >>> try:
    ...     compile("print 'hello'", "old.py", "exec")
    ... except SyntaxError as error:
    ...     construct(error)
    'Python 2 syntax (the print statement)'
    """
    line = re.sub(r"#.*", "", re.sub(r"""(['"])(\\.|(?!\1).)*\1""", "''", error.text or ""))
    for pattern, name in _CONSTRUCTS:
        if re.search(pattern, line) or re.search(pattern, error.msg):
            return f"Python 2 syntax ({name})"
    return None
