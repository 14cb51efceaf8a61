"""How one object's bytes are stored in a pack: as they are, or as one zstd frame.

See docs/format.md, chapter "Packs".
"""

from __future__ import annotations

import zstandard

from dataver.errors import FormatError, UnsupportedError
from dataver.hashing import Buffer

STORED, ZSTD = 0, 1
LEVEL = 3
SAMPLE_SIZE = 64 * 1024
_WORTH = 0.9
"""A frame is kept when it takes less than this share of the bytes."""
_SMALL = 64
_PATIENCE = 64


class Compressor:
    """Compresses objects of one pack, and stops trying for a while when nothing is saved.

    Data that does not compress (images, archives, noise) comes in runs: after 8 objects in a
    row that saved nothing only every 64th is tried, until one saves something again.
    """

    def __init__(self, level: int = LEVEL) -> None:
        self._zstd = zstandard.ZstdCompressor(level=level, write_content_size=True)
        self._failures = 0
        self._skipped = 0

    def encode(self, data: Buffer) -> tuple[int, Buffer]:
        """Return the codec and the bytes to store for *data*."""
        if len(data) < _SMALL:
            return STORED, data
        if self._failures >= 8:
            self._skipped += 1
            if self._skipped < _PATIENCE:
                return STORED, data
            self._skipped = 0
        if len(data) > SAMPLE_SIZE:
            sample = memoryview(data)[:SAMPLE_SIZE]
            if len(self._zstd.compress(sample)) >= SAMPLE_SIZE * _WORTH:
                self._failures += 1
                return STORED, data
        stored = self._zstd.compress(data)
        if len(stored) >= len(data) * _WORTH:
            self._failures += 1
            return STORED, data
        self._failures = 0
        return ZSTD, stored


# A decompressor serves one thread at a time and is dear to make: those that are idle wait here.
_IDLE: list[zstandard.ZstdDecompressor] = []


def decode(codec: int, stored: Buffer, raw_size: int) -> Buffer:
    """Return an object's bytes, exactly *raw_size* of them.

    Raises: FormatError when the frame is damaged or of another size, UnsupportedError.
    """
    if codec == STORED:
        if len(stored) != raw_size:
            raise FormatError("stored object", f"{len(stored)} bytes, expected {raw_size}")
        return stored
    if codec != ZSTD:
        raise UnsupportedError("codec", codec)
    zstd = _IDLE.pop() if _IDLE else zstandard.ZstdDecompressor()
    try:
        size = zstandard.frame_content_size(stored)
        if size != raw_size:
            raise FormatError("compressed object", f"says {size} bytes, expected {raw_size}")
        # Bytes behind the frame would be content that no id covers.
        return zstd.decompress(stored, max_output_size=raw_size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError("compressed object", str(error)) from error
    finally:
        _IDLE.append(zstd)
