"""A pack on the local disk: written once, then read by ranges.

The only module that lays a pack's bytes into a file.  The cache keeps such files and the
transfer sends them; the bytes themselves are `formats.pack`'s.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from dataclasses import dataclass

from dataver.disk.disk import Disk
from dataver.disk.safe_open import open_plain
from dataver.errors import FormatError, UnsafeFileError, local_error
from dataver.formats import codec, pack
from dataver.formats.pack import Row, Table
from dataver.hashing import Buffer, xxh3_64
from dataver.model.names import ObjectName, StructureId

_WRITE_SIZE = 1024 * 1024
_WINDOW = 4 * 1024 * 1024
_NEAR = 256 * 1024


@dataclass(frozen=True, slots=True)
class WrittenPack:
    """A complete pack file that is not yet in place, and not yet synced."""

    path: str
    pack_id: StructureId
    size: int
    table: bytes


class PackWriter:
    """Writes one new pack file.  The caller says where, and syncs and renames it."""

    def __init__(self, disk: Disk, path: str, *, compress: bool = True) -> None:
        """Create the file *path*, which must not exist."""
        self._disk, self._path = disk, path
        self._compressor = codec.Compressor() if compress else None
        self._rows: dict[ObjectName, Row] = {}
        self._parts: list[Buffer] = [pack.HEADER]
        self._buffered = pack.HEADER_SIZE
        self.size = pack.HEADER_SIZE
        try:
            self._fd = disk.create(path)
        except OSError as error:
            raise local_error(error, path, "write") from error

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: ObjectName) -> bool:
        return name in self._rows

    def add(self, name: ObjectName, data: Buffer) -> None:
        """Append an object; one that stands here already is not written again."""
        if name in self._rows:
            return
        if self._compressor is None:
            self.add_stored(name, codec.STORED, data, len(data), xxh3_64(data))
        else:
            kind, stored = self._compressor.encode(data)
            self.add_stored(name, kind, stored, len(data), xxh3_64(stored))

    def add_stored(self, name: ObjectName, kind: int, stored: Buffer, raw: int, check: int) -> None:
        """Append an object's bytes as another pack stored them."""
        if name in self._rows:
            return
        self._rows[name] = Row(name, kind, 0, self.size, len(stored), raw, check)
        self._parts.append(stored)
        self.size += len(stored)
        self._buffered += len(stored)
        if self._buffered >= _WRITE_SIZE:
            self._flush()

    def _flush(self) -> None:
        try:
            self._disk.write(self._fd, b"".join(self._parts))
        except OSError as error:
            self.abort()
            raise local_error(error, self._path, "write") from error
        self._parts, self._buffered = [], 0

    def close(self) -> WrittenPack:
        """Write table and footer; return the finished pack."""
        table = pack.encode_table(os.urandom(pack.NONCE_SIZE), self._rows.values())
        footer = pack.encode_footer(table, self.size)
        self._parts += [table, footer]
        self._flush()
        os.close(self._fd)
        self._fd = -1
        size = self.size + len(table) + len(footer)
        return WrittenPack(self._path, Table(table).pack_id, size, table)

    def abort(self) -> None:
        """Drop the file; nothing of it was visible."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            # What made the writer give up is what people have to hear of.
            with contextlib.suppress(OSError):
                self._disk.unlink(self._path)


_MOST_WINDOWS = 2
"""Packs of which something read ahead is kept at the same time, 4 MiB each."""
_reading_ahead: deque[PackReader] = deque()


class PackReader:
    """Reads objects of one pack file by their rows; sequential reads are served from a window.

    Holds the descriptor, so that a pack that is folded away meanwhile stays readable.
    """

    def __init__(self, path: str) -> None:
        """Open *path*.

        Raises: FormatError for what is no regular file; FileNotFoundError, which a folded pack may give.
        """
        self.path = path
        try:
            self._fd = open_plain(path)
        except UnsafeFileError as error:
            raise FormatError(f"pack {path}", "is no regular file") from error
        self._window: tuple[int, bytes] = (0, b"")
        """Where what was read ahead begins, and its bytes."""
        self._last_end = -1

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        with contextlib.suppress(ValueError):
            _reading_ahead.remove(self)
        self.drop_window()

    @property
    def is_open(self) -> bool:
        return self._fd >= 0

    @property
    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def table(self, *, is_own: bool = False) -> Table:
        """Read and check the table.  Raises: FormatError, UnsupportedError.

        In our own cache (*is_own*) the checksum does: a row that lies gives bytes that are not
        what their name says, and every object is compared with its name.
        """
        size = self.size
        if size < pack.HEADER_SIZE + pack.FOOTER_SIZE:
            raise FormatError(f"pack {self.path}", "truncated")
        pack.check_header(os.pread(self._fd, pack.HEADER_SIZE, 0))
        footer = os.pread(self._fd, pack.FOOTER_SIZE, size - pack.FOOTER_SIZE)
        offset, length, check = pack.decode_footer(footer, size)
        data = os.pread(self._fd, length, offset)
        if not is_own:
            return pack.decode_table(data, check=check, end=offset)
        if len(data) != length or xxh3_64(data) != check:
            raise FormatError(f"pack {self.path}", "checksum of the table differs")
        return Table(data)

    def stored(self, row: Row) -> Buffer:
        """Return the stored bytes of *row*.  Raises: FormatError when the file ends before."""
        offset, size = row.offset, row.stored
        # Taken at once: another thread may drop the window, but not from under this read.
        base, window = self._window
        start = offset - base
        if start >= 0 and start + size <= len(window):
            self._last_end = offset + size
            return memoryview(window)[start : start + size]
        # A read that follows the last one closely is part of a run: read ahead.
        follows = 0 <= offset - self._last_end < _NEAR
        if follows:
            self._take_turn()
        data = os.pread(self._fd, max(size, _WINDOW) if follows else size, offset)
        if len(data) < size:
            raise FormatError(f"pack {self.path}", "truncated")
        self._window, self._last_end = (offset, data), offset + size
        return data if len(data) == size else memoryview(data)[:size]

    def _take_turn(self) -> None:
        """Let go of the window of whoever read ahead before: hundreds of packs would hold gigabytes."""
        if self in _reading_ahead:
            return
        with contextlib.suppress(IndexError):
            while len(_reading_ahead) >= _MOST_WINDOWS:
                _reading_ahead.popleft().drop_window()
        _reading_ahead.append(self)

    def drop_window(self) -> None:
        """Forget what was read ahead."""
        self._window = (0, b"")

    def read(self, row: Row) -> Buffer:
        """Return the object's bytes; the caller compares them with the object's id."""
        return codec.decode(row.codec, self.stored(row), row.raw)
