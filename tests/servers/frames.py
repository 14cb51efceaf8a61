"""HTTP/1.1 messages on asyncio streams, as far as a proxy must know them: heads, and where bodies end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

LONGEST_HEAD = 1 << 20
PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Head:
    """The first line of a request or answer and its header lines, in order and as they came."""

    first: str
    lines: tuple[str, ...]

    def value(self, name: str) -> str:
        """Return what a header says, empty where it is missing."""
        for line in self.lines:
            found, _, value = line.partition(":")
            if found.strip().lower() == name:
                return value.strip()
        return ""

    def without(self, name: str) -> Head:
        """Return the head without a header."""
        kept = (line for line in self.lines if line.partition(":")[0].strip().lower() != name)
        return Head(self.first, tuple(kept))

    def encoded(self) -> bytes:
        """Return the bytes that go over the wire."""
        return "\r\n".join((self.first, *self.lines, "", "")).encode("latin-1")

    @property
    def is_chunked(self) -> bool:
        """Tell whether the body comes in chunks."""
        return self.value("transfer-encoding").lower() == "chunked"

    @property
    def length(self) -> int | None:
        """Return the body's size in bytes where the head says it."""
        said = self.value("content-length")
        return int(said) if said else None

    @property
    def is_last(self) -> bool:
        """Tell whether the connection ends with this message."""
        return self.value("connection").lower() == "close" or "HTTP/1.0" in self.first


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """Return the next head, None where the connection ends instead."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    return Head(first, tuple(lines))


async def pieces(reader: asyncio.StreamReader, length: int | None) -> AsyncIterator[bytes]:
    """Yield a body of *length* bytes, or all that comes until the connection ends."""
    left = length
    while left is None or left > 0:
        piece = await reader.read(PIECE if left is None else min(PIECE, left))
        if not piece:
            if left is None:
                return
            raise ConnectionResetError("the body ended too early")
        if left is not None:
            left -= len(piece)
        yield piece


async def chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield a body that comes in chunks; what may follow the last one is dropped."""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        async for piece in pieces(reader, size):
            yield piece
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        continue


def request_body(head: Head, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield the body of a request, which without a length has none."""
    return chunks(reader) if head.is_chunked else pieces(reader, head.length or 0)


def answer_body(head: Head, reader: asyncio.StreamReader, method: str) -> AsyncIterator[bytes]:
    """Yield the body of the answer to a request, which without a length ends with the connection."""
    if not has_body(head, method):
        return pieces(reader, 0)
    return chunks(reader) if head.is_chunked else pieces(reader, head.length)


def has_body(head: Head, method: str) -> bool:
    """Tell whether an answer has a body, whatever length it names."""
    return method != "HEAD" and status_of(head) not in (204, 304)


def has_end(head: Head, method: str) -> bool:
    """Tell whether an answer's end can be known while the connection stays open."""
    return head.is_chunked or head.length is not None or not has_body(head, method)


def status_of(head: Head) -> int:
    """Return an answer's status."""
    return int(head.first.split(" ")[1])


def framed(piece: bytes, head: Head) -> bytes:
    """Return a piece of a body as it goes over the wire after *head*."""
    return b"%x\r\n%b\r\n" % (len(piece), piece) if head.is_chunked else piece


def end_of_body(head: Head) -> bytes:
    """Return what tells the other side that the body has ended."""
    return b"0\r\n\r\n" if head.is_chunked else b""
