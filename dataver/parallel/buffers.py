"""Memory that threads use in turn, such as for whole packs: fresh pages cost as much as copying into them.

So many at a time that the work takes the same memory however much there is: who wants one more waits.
"""

from __future__ import annotations

import threading


class Buffers:
    """Buffers that are used again, never the same one by two."""

    def __init__(self, count: int) -> None:
        """Lend *count* at a time."""
        self._free = threading.Semaphore(count)
        self._idle: list[bytearray] = []

    def take(self) -> bytearray:
        """Lend a buffer of any length and content, once there is one."""
        self._free.acquire()
        try:
            return self._idle.pop()
        except IndexError:
            return bytearray()

    def give(self, view: memoryview) -> None:
        """Take back the buffer of which *view* is a part.

        One that something may still read, such as a try that was given up and that nobody can end, is
        not lent again: what that sends must stay what it was.
        """
        memory = view.obj
        assert isinstance(memory, bytearray)
        try:
            view.release()
            # Nothing can be appended to what has a reader.
            memory.append(0)
            memory.pop()
        except BufferError:
            pass
        else:
            self._idle.append(memory)
        self._free.release()
