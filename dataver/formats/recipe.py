"""Recipes: how a large blob is made of chunks; and where a blob is cut.

The cut points decide what two versions of a large file share on a remote, in this release and
every later one: the parameters here never change.  See docs/format.md, chapter "Recipes".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, Protocol, cast

from dataver.errors import FormatError, UnsupportedError
from dataver.hashing import DIGEST_SIZES, Buffer
from dataver.model.names import Oid

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

VERSION = 1
CHUNK_ABOVE = 8 * 1024 * 1024
"""Blobs of more bytes than this go to a remote as chunks."""
MIN_CHUNK, AVERAGE_CHUNK, MAX_CHUNK = 256 * 1024, 1024 * 1024, 4 * 1024 * 1024
"""FastCDC's limits in bytes; only a blob's last chunk may be below the least."""
NORMALIZATION: Final = 2
MAX_CHUNKS = 16 * 1024 * 1024
"""In one recipe: 4 TiB in chunks of the least size, 16 TiB in those of the expected size."""

_MAGIC = b"dvrecipe"
_HEADER = struct.Struct(">8sHBBQI")
_LENGTH = struct.Struct(">I")
HEADER_SIZE = _HEADER.size


class Recipe(NamedTuple):
    """The chunks of one blob, in order; where they lie is not told here."""

    size: int
    """Of the blob, in bytes."""
    chunks: tuple[tuple[Oid, int], ...]
    """Each chunk's oid and length in bytes; all of one algorithm."""


def encode_recipe(recipe: Recipe) -> bytes:
    """Return the one valid encoding of *recipe*.  Raises: FormatError when it breaks a limit."""
    fault = _fault_of(recipe)
    if fault:
        raise FormatError("recipe", fault)
    algorithm = recipe.chunks[0][0][0]
    return b"".join(
        (
            _HEADER.pack(_MAGIC, VERSION, algorithm, 0, recipe.size, len(recipe.chunks)),
            *(oid[1:] + _LENGTH.pack(length) for oid, length in recipe.chunks),
        )
    )


def decode_recipe(data: Buffer, size: int | None = None) -> Recipe:
    """Return the recipe in *data*; *size* is the blob's where the tree says it.

    Raises: FormatError, UnsupportedError for a later version or an unknown algorithm.
    """
    if len(data) < HEADER_SIZE:
        raise FormatError("recipe", "truncated")
    magic, version, algorithm, reserved, total, count = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise FormatError("recipe", "wrong magic")
    if version != VERSION:
        raise UnsupportedError("recipe version", version)
    if reserved:
        raise UnsupportedError("recipe flags", reserved)
    width = DIGEST_SIZES.get(algorithm)
    if width is None:
        raise UnsupportedError("hash algorithm", algorithm)
    if size is not None and total != size:
        raise FormatError("recipe", f"of {total} bytes, the tree says {size}")
    if count > MAX_CHUNKS or len(data) != HEADER_SIZE + count * (width + _LENGTH.size):
        raise FormatError("recipe", f"{count} chunks do not fit {len(data)} bytes")
    prefix = bytes((algorithm,))
    rows = struct.iter_unpack(f">{width}sI", memoryview(data)[HEADER_SIZE:])
    recipe = Recipe(total, tuple((Oid(prefix + digest), length) for digest, length in rows))
    fault = _fault_of(recipe)
    if fault:
        raise FormatError("recipe", fault)
    return recipe


def _fault_of(recipe: Recipe) -> str:
    if not recipe.chunks:
        return "no chunks"
    if len(recipe.chunks) > MAX_CHUNKS:
        return f"{len(recipe.chunks)} chunks, at most {MAX_CHUNKS}"
    algorithm = recipe.chunks[0][0][0]
    width = 1 + DIGEST_SIZES.get(algorithm, 0)
    total = 0
    for oid, length in recipe.chunks:
        if oid[0] != algorithm or len(oid) != width:
            return "chunks of several algorithms"
        if not 0 < length <= MAX_CHUNK:
            return f"a chunk of {length} bytes"
        total += length
    if total != recipe.size:
        return f"chunks of {total} bytes, the blob has {recipe.size}"
    return ""


def cut_chunks(data: Buffer) -> Iterator[tuple[int, int]]:
    """Yield (offset, length) of each chunk of *data*, in order.

    A mapped file is read once, front to back, and nothing of it is copied.
    """
    for chunk in _fastcdc().cut_buf(memoryview(data)):
        yield chunk.offset, chunk.length


class Source(Protocol):
    """What is read from front to back, such as a file without a buffer of its own."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Put bytes into *buffer* and return how many; 0 at the end."""


def cut_stream(source: Source) -> Iterator[tuple[int, memoryview]]:
    """Yield (offset, bytes) of each chunk of *source*, in order; holds about 8 MiB.

    The bytes are valid until the next chunk is asked for.
    """
    for chunk in _fastcdc().cut_stream(cast("BinaryIO", source)):
        yield chunk.offset, chunk.data


def _fastcdc() -> FastCDC:
    from pyfastcdc import FastCDC  # only what cuts a large file pays for its import

    return FastCDC(
        AVERAGE_CHUNK,
        min_size=MIN_CHUNK,
        max_size=MAX_CHUNK,
        normalized_chunking=NORMALIZATION,
        seed=0,
    )
