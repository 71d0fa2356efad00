"""`python -m engine`: the command line without the console."""

import sys

from engine.commands.app import main

if __name__ == "__main__":
    sys.exit(main())
