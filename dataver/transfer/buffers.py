"""Memory for whole packs, used again: fresh pages of 32 MiB cost as much as copying into them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_STEP = 4 * 1024 * 1024


class Buffers:
    """Buffers that several threads borrow, never the same one at a time."""

    def __init__(self) -> None:
        self._idle: list[bytearray] = []

    @contextmanager
    def hold(self, size: int) -> Iterator[memoryview]:
        """Lend *size* bytes of any content; nobody may keep a view of them afterwards."""
        try:
            buffer = self._idle.pop()
        except IndexError:
            buffer = bytearray()
        if len(buffer) < size:
            buffer = bytearray(-(-size // _STEP) * _STEP)
        try:
            yield memoryview(buffer)[:size]
        finally:
            self._idle.append(buffer)
