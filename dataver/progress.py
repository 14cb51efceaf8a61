"""How a verb tells how far it is: a protocol that the CLI draws, and a silent default.

The library never prints.  A verb takes a `Progress`, opens one task per stage and advances it
in files and bytes; drawing is the caller's.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol


class Task(Protocol):
    """One stage under way; a context manager that ends it."""

    def advance(self, count: int = 1, size: int = 0) -> None:
        """Report *count* more items and *size* more bytes as done."""

    def __enter__(self) -> Task: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Progress(Protocol):
    """Where a verb reports its stages."""

    def task(self, label: str, *, total: int = 0, size: int = 0) -> Task:
        """Begin a stage of *total* items and *size* bytes; 0 where that is not known."""

    def note(self, text: str) -> None:
        """Say one line that matters now, such as whose lock is waited for."""


class _SilentTask:
    def advance(self, count: int = 1, size: int = 0) -> None:
        return None

    def __enter__(self) -> _SilentTask:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class _Silent:
    def task(self, label: str, *, total: int = 0, size: int = 0) -> Task:
        return _SilentTask()

    def note(self, text: str) -> None:
        return None


SILENT: Progress = _Silent()
"""Reports nothing."""
