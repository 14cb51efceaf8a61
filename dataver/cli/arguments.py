"""The global options, which may stand before or after the command, read by hand.

The only module that reads them: the fast entries do without Typer, and Typer knows an option
only at its one place.  What is left over is the command's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dataver.errors import UsageError

COLORS = ("auto", "always", "never")


class Globals(NamedTuple):
    """What stood on the command line beside the command."""

    folder: str = ""
    """Where to run, from `-C`; empty for the current folder."""
    is_json: bool = False
    is_quiet: bool = False
    is_verbose: bool = False
    is_debug: bool = False
    color: str = "auto"
    has_progress: bool = True
    lock_timeout: str = ""
    """Seconds; empty for what the configuration says."""
    wants_version: bool = False


GLOBAL_OPTIONS: tuple[tuple[str, str], ...] = (
    ("-C DIR", "run as if started in DIR"),
    ("--json", "print one JSON document on stdout"),
    ("-q, --quiet", "print only what was asked for, and errors"),
    ("-v, --verbose", "say more"),
    ("--debug", "log every step, and show a traceback with an error"),
    ("--color WHEN", "auto, always or never; auto heeds NO_COLOR"),
    ("--no-progress", "draw no progress bar"),
    ("--lock-timeout SECONDS", "how long to wait for another process; 0 does not wait"),
    ("--version", "print the version"),
    ("-h, --help", "show help, also for a command"),
)
"""For help and completion; `take_globals` reads them."""

_FLAGS = {
    "--json": ("is_json", True),
    "-q": ("is_quiet", True),
    "--quiet": ("is_quiet", True),
    "-v": ("is_verbose", True),
    "--verbose": ("is_verbose", True),
    "--debug": ("is_debug", True),
    "--no-progress": ("has_progress", False),
    "--version": ("wants_version", True),
}


def take_globals(argv: Sequence[str]) -> tuple[Globals, list[str]]:
    """Split *argv* into the global options and the words of the command.

    Nothing after `--` is an option.  Raises: UsageError.
    """
    found: dict[str, Any] = {}
    words: list[str] = []
    rest = list(reversed(argv))
    while rest:
        word = rest.pop()
        if word == "--":
            words += [word, *reversed(rest)]
            break
        name, equals, value = word.partition("=")
        if word in _FLAGS:
            field, flag = _FLAGS[word]
            found[field] = flag
        elif name == "--color":
            found["color"] = _color_of(value if equals else _value_of(word, rest))
        elif name == "--lock-timeout":
            found["lock_timeout"] = _seconds_of(value if equals else _value_of(word, rest))
        elif word.startswith("-C"):
            found["folder"] = _joined(found.get("folder", ""), word[2:] or _value_of(word, rest))
        else:
            words.append(word)
    return Globals(**found), words


def is_json_wanted(argv: Sequence[str]) -> bool:
    """Tell whether *argv* asks for JSON, even where the rest of it makes no sense."""
    before = argv[: argv.index("--")] if "--" in argv else argv
    return "--json" in before


def _value_of(option: str, rest: list[str]) -> str:
    if not rest:
        raise UsageError(f"option {option} needs a value", hint="dataver --help")
    return rest.pop()


def _color_of(value: str) -> str:
    if value not in COLORS:
        raise UsageError(f"option --color: {value!r} is none of {', '.join(COLORS)}")
    return value


def _seconds_of(value: str) -> str:
    if not (value.isascii() and value.isdigit() and len(value) < 8):
        raise UsageError(f"option --lock-timeout: expected a number of seconds, found {value!r}")
    return value


def _joined(folder: str, more: str) -> str:
    """Return where a second `-C` leads: from the first one's folder, as in Git."""
    return f"{folder}/{more}" if folder and not more.startswith("/") else more
