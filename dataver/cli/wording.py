"""How counts, sizes, times and names read; and the page that text is put on.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dataver.errors import show_bytes, show_path


class Page(NamedTuple):
    """What a command says to a person."""

    lines: Sequence[str]
    """For stdout."""
    notes: Sequence[str] = ()
    """For stderr: hints and what comes next."""
    is_data: bool = False
    """Whether the lines are what was asked for, which `--quiet` leaves."""


def number(count: int) -> str:
    """Return *count* as people read it: `1,204`."""
    return f"{count:,}"


def counted(count: int, noun: str) -> str:
    """Return `1 file`, `1,204 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def signed_size(size: int) -> str:
    """Return a change of size in bytes: `+120 MB`, `-3.0 kB`, `±0 B`."""
    if not size:
        return "±0 B"
    return f"{'+' if size > 0 else '-'}{show_bytes(abs(size))}"


def duration(seconds: float) -> str:
    """Return a time as a clock shows it: `0:41`, `1:02:03`."""
    whole = max(round(seconds), 0)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def name(path: bytes, *, is_folder: bool = False) -> str:
    """Return a path as text; a folder ends with a slash."""
    return show_path(path) + ("/" if is_folder and not path.endswith(b"/") else "")


def changes_in_short(counts: tuple[int, int, int, int], size_change: int) -> str:
    """Return `+40 files  -2  ~3  1 renamed  +120 MB`.

    *counts* are added, deleted, modified, renamed; what is zero is left out, the first says "file".
    """
    parts: list[str] = []
    for count, mark in zip(counts[:3], "+-~", strict=True):
        if count:
            noun = "" if parts else (" file" if count == 1 else " files")
            parts.append(f"{mark}{count:,}{noun}")
    if counts[3]:
        parts.append(f"{counts[3]:,} renamed" if parts else f"{counted(counts[3], 'file')} renamed")
    if not parts:
        return "no change"
    if size_change:
        parts.append(signed_size(size_change))
    return "  ".join(parts)


def quoted(paths: Iterable[bytes]) -> str:
    """Return paths as the arguments of a command that a person can run."""
    return " ".join(_shell_word(show_path(path)) for path in paths)


def _shell_word(text: str) -> str:
    plain = all(c.isalnum() or c in "_-./@%+=:,~" for c in text)
    return text if plain and text and not text.startswith("-") else "'" + text.replace("'", "'\\''") + "'"
