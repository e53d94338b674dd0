"""`python -m compat`: the same as the console script `tfprefetch-compat`."""

import sys

from compat.run.command import main

if __name__ == "__main__":
    sys.exit(main())
