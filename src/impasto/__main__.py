"""`impasto` and `python -m impasto`: the command line, whose own imports Ctrl-C may stop too."""

from __future__ import annotations

import sys

STOPPED = 130


def main() -> None:
    """Run the command line and exit."""
    try:
        from impasto.cli import main

        main()
    except KeyboardInterrupt:
        print("impasto: stopped", file=sys.stderr)
        sys.exit(STOPPED)


if __name__ == "__main__":
    main()
