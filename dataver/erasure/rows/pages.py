"""Dictionary pages of Parquet, which its readers never show: the values that they hold, used or not.

Reads a page header (Thrift's compact protocol) and the plain encoding behind it, as the format's
specification (apache/parquet-format) has them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from dataver.errors import UnreadableTableError

_BOOLEANS, _I8, _DOUBLE, _BINARY, _LIST, _STRUCT = (1, 2), 3, 7, 8, 9, 12
_INTEGERS = (4, 5, 6)
_UNCOMPRESSED_SIZE, _COMPRESSED_SIZE, _DICTIONARY_HEADER, _VALUES = 2, 3, 7, 1
_MAX_DEPTH = 8
_MAX_SHIFT = 63
_MAX_PAGE = (1 << 31) - 1
_FIXED = {"INT32": "<i", "INT64": "<q", "FLOAT": "<f", "DOUBLE": "<d"}

Field = int | bytes | dict[int, "Field"] | None


class _Compact:
    """One pass over a struct in Thrift's compact protocol."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self, depth: int = 0) -> dict[int, Field]:
        found: dict[int, Field] = {}
        number = 0
        while True:
            head = self._byte()
            if head == 0:
                return found
            number = number + (head >> 4) if head >> 4 else self._integer()
            found[number] = self._value(head & 15, depth)

    def _value(self, kind: int, depth: int) -> Field:
        if depth > _MAX_DEPTH:
            raise ValueError("too deep")
        if kind in _BOOLEANS:
            return int(kind == _BOOLEANS[0])
        if kind in _INTEGERS:
            return self._integer()
        if kind == _I8:
            return self._byte()
        if kind == _DOUBLE:
            self._bytes(8)
            return None
        if kind == _BINARY:
            return self._bytes(self._unsigned())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind == _LIST:
            head = self._byte()
            for _ in range(head >> 4 if head >> 4 < 15 else self._unsigned()):
                if head & 15 in _BOOLEANS:
                    self._byte()  # in a list they take a byte each
                else:
                    self._value(head & 15, depth + 1)
            return None
        raise ValueError(f"type {kind}")

    def _bytes(self, size: int) -> bytes:
        # A list may claim any number of elements: what lies behind the end must end it.
        if size > len(self._data) - self.at:
            raise ValueError("truncated")
        self.at += size
        return self._data[self.at - size : self.at]

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _unsigned(self) -> int:
        found = shift = 0
        while True:
            byte = self._byte()
            found |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return found
            if shift > _MAX_SHIFT:
                raise ValueError("a number without end")

    def _integer(self) -> int:
        found = self._unsigned()
        return (found >> 1) ^ -(found & 1)


def dictionary_values(
    chunk: bytes, kind: str, width: int, decompress: Callable[[bytes, int], bytes]
) -> Iterator[bytes | int | float]:
    """Yield the values of the dictionary page that *chunk* begins with.

    *kind* is the physical type, *width* the size of fixed byte arrays; *decompress* takes bytes and
    the size that they unpack to.

    Raises: UnreadableTableError.
    """
    try:
        compact = _Compact(chunk)
        header = compact.struct()
        inner = header[_DICTIONARY_HEADER]
        size, packed = header[_UNCOMPRESSED_SIZE], header[_COMPRESSED_SIZE]
        if not isinstance(inner, dict) or not isinstance(size, int) or not isinstance(packed, int):
            raise ValueError("no dictionary page")
        if not (0 <= size <= _MAX_PAGE and 0 <= packed <= len(chunk)):
            raise ValueError("an impossible size")
        count = inner[_VALUES]
        if not isinstance(count, int) or not 0 <= count <= size:
            raise ValueError("an impossible number of values")
        page = decompress(chunk[compact.at : compact.at + packed], size)
        yield from _plain(page, count, kind, width)
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise UnreadableTableError(f"a dictionary page: {error}") from error


def _plain(page: bytes, count: int, kind: str, width: int) -> Iterator[bytes | int | float]:
    if kind in _FIXED:
        for (value,) in struct.iter_unpack(_FIXED[kind], page[: count * struct.calcsize(_FIXED[kind])]):
            yield value
        return
    at = 0
    for _ in range(count):
        size = width
        if kind == "BYTE_ARRAY":
            (size,) = struct.unpack_from("<I", page, at)
            at += 4
        if at + size > len(page):
            raise ValueError("it ends too early")
        yield page[at : at + size]
        at += size
