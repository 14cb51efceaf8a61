"""The lines that an option names instead of holding: those of a file, or of stdin for `-`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from dataver.errors import UsageError


def given_lines(files: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the lines that each option's file holds, by option; empty ones are left out.

    Raises: UsageError where two options want stdin; OSError with the file's name.
    """
    on_stdin = [option for option, name in files.items() if name == "-"]
    if len(on_stdin) > 1:
        raise UsageError(f"{' and '.join(on_stdin)} cannot both read stdin")
    return {option: _lines(_content(option, name)) if name else () for option, name in files.items()}


def given_text(option: str, name: str) -> str:
    """Return all that the file *name* holds, or stdin for `-`.  Raises: UsageError; OSError."""
    return _content(option, name).decode("utf-8", "replace")


def _content(option: str, name: str) -> bytes:
    if name != "-":
        with open(name, "rb") as file:
            return file.read()
    if sys.stdin.isatty():
        # Nothing waits for somebody to type: it would look like a command that hangs.
        raise UsageError(f"{option} - reads stdin, which is a terminal", hint=f"{option} FILE reads a file")
    return sys.stdin.buffer.read()


def _lines(content: bytes) -> tuple[str, ...]:
    lines = (line.removesuffix(b"\r") for line in content.split(b"\n"))
    return tuple(os.fsdecode(line) for line in lines if line.strip())
