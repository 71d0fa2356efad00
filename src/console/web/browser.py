"""One browser's console, as the server starts it: a process of its own, drawn to its standard output."""

import argparse
import gc
import sys
from pathlib import Path

from engine.errors import SundhedsagentError


def main() -> int:
    """Show the console until it is closed, or the server ends the input; gives the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--may-change", action="store_true")
    options = parser.parse_args()
    gc.disable()  # until the first picture; the console begins with it then
    from console.app import run_console
    from engine.home import Home

    try:
        return run_console(Home.open(options.home), only_reads=not options.may_change)
    except SundhedsagentError as error:
        print(error, file=sys.stderr)  # the server's log; the page says that it has stopped
        return 1


if __name__ == "__main__":
    sys.exit(main())
