"""What the C library's allocator does with large blocks that many threads take and give back."""

from __future__ import annotations

import functools

_M_MMAP_THRESHOLD = -3  # malloc.h of glibc
_LARGE = 8 << 20
"""Runs of chunks, and ranges of packs; what is smaller is not worth the new pages each time."""


@functools.cache
def give_back_large_blocks() -> None:
    """Let freed blocks of 8 MiB and more go back to the system at once, in this process from now on.

    By itself glibc keeps what a thread gave back for that thread: with blocks of 16 MiB in a dozen threads
    that is half a gigabyte which nobody uses.  Elsewhere this does nothing.
    """
    import ctypes  # 10 ms: only for who takes large blocks

    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, _LARGE)
