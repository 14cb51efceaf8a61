"""The program `dataver`: `python -m dataver`, the console script, and `git dataver`.

Loads nothing before it is known what is wanted: `cli.session` decides between the entries that
run without Typer (`cli.fast`) and the whole command line (`cli.app`).
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line and return the exit status."""
    if os.name == "nt":
        sys.stderr.write("error[platform]: dataver runs on Linux and macOS; on Windows use it in WSL\n")
        return 2
    # Below the check: what this loads does not exist on Windows.
    from dataver.cli import session, signals

    signals.install()
    return session.run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
