"""``python -m mnist_models`` is the command line."""

import sys

from mnist_models.cli import main

if __name__ == "__main__":
    sys.exit(main())
