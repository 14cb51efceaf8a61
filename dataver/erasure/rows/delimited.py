"""CSV and TSV: records are cut out; what stays, stays byte for byte.

A field is quoted when it begins with `"`; within, `""` is a quote and line ends are data.  The
first record names the columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from dataver.erasure.rows.kinds import Rewritten
from dataver.erasure.rows.needles import Needles
from dataver.errors import RowsLeftError, UnreadableTableError

MAX_RECORD = 64 * 1024 * 1024
_CHUNK = 1 << 20
_MARK = b"\xef\xbb\xbf"
_ENDS = re.compile(rb'"|\r\n|\r|\n')


def rewrite(
    source: BinaryIO, target: BinaryIO, key: str, needles: Needles, *, delimiters: tuple[bytes, ...]
) -> Rewritten:
    """Copy *source* to *target* without the records whose field *key* is one of the values.

    The delimiter is the first of *delimiters* with which the header has such a column.

    Raises: UnreadableTableError, RowsLeftError where the header itself holds a value.
    """
    lines = _lines(source)
    header = next(_records(lines, None), b"")
    delimiter, names = _columns_by(header, (key,), delimiters)
    at = names.index(key.encode())
    if needles.as_word.search(header):
        raise RowsLeftError("the first line", "a column is named like it")
    target.write(header)
    removed = kept = 0
    residue: set[str] = set()
    for record in _records(lines, delimiter):
        if _field(record, delimiter, at) in needles.cells:
            removed += 1
            continue
        kept += bool(record.strip(b"\r\n"))
        if needles.as_word.search(record):
            residue.update(_places(record, delimiter, names, needles))
        target.write(record)
    return Rewritten(removed, kept, tuple(sorted(residue)), bool(removed))


def columns_of(
    source: BinaryIO, wanted: tuple[str, ...], *, delimiters: tuple[bytes, ...]
) -> Iterator[tuple[bytes, ...]]:
    """Yield the fields *wanted* of each record that has them.  Raises: UnreadableTableError."""
    lines = _lines(source)
    delimiter, names = _columns_by(next(_records(lines, None), b""), wanted, delimiters)
    places = [names.index(name.encode()) for name in wanted]
    for record in _records(lines, delimiter):
        found = list(fields(record, delimiter))
        if len(found) > max(places):
            yield tuple(found[place] for place in places)


def _columns_by(
    header: bytes, wanted: tuple[str, ...], delimiters: tuple[bytes, ...]
) -> tuple[bytes, list[bytes]]:
    """Return the delimiter with which *header* has the columns *wanted*, and all columns."""
    for delimiter in delimiters:
        names = list(fields(header.removeprefix(_MARK), delimiter))
        if all(names.count(name.encode()) == 1 for name in wanted):
            return delimiter, names
    raise UnreadableTableError(f"its first line does not name {', '.join(map(repr, wanted))} once")


def fields(record: bytes, delimiter: bytes) -> Iterator[bytes]:
    """Yield the fields of one record, without their quotes."""
    end = len(record.rstrip(b"\r\n"))
    at = 0
    while True:
        parts: list[bytes] = []
        if record[at : at + 1] == b'"':
            at += 1
            while (quote := record.find(b'"', at, end)) >= 0:
                parts.append(record[at:quote])
                at = quote + 1
                if record[at : at + 1] != b'"':
                    break
                parts.append(b'"')
                at += 1
        stop = record.find(delimiter, at, end)
        if stop < 0:
            yield b"".join((*parts, record[at:end]))
            return
        yield b"".join((*parts, record[at:stop]))
        at = stop + 1


def _field(record: bytes, delimiter: bytes, at: int) -> bytes | None:
    if b'"' not in record:
        found = record.rstrip(b"\r\n").split(delimiter, at + 1)
        return found[at] if at < len(found) else None
    return next((field for n, field in enumerate(fields(record, delimiter)) if n == at), None)


def _places(record: bytes, delimiter: bytes, names: list[bytes], needles: Needles) -> Iterator[str]:
    for number, field in enumerate(fields(record, delimiter)):
        if needles.as_word.search(field):
            yield names[number].decode("utf-8", "replace") if number < len(names) else f"column {number + 1}"


def _records(lines: Iterator[bytes], delimiter: bytes | None) -> Iterator[bytes]:
    """Yield whole records; while the delimiter is not known (None), any may be one."""
    waiting: list[bytes] = []
    size = 0
    is_inside = False
    for line in lines:
        if line.startswith(b"\n") and line != b"\n" and not is_inside:
            # Behind a carriage return alone: cut out between the two, a record would join them.
            raise UnreadableTableError("its lines end in several ways")
        is_inside = _ends_inside(line, delimiter, is_inside=is_inside, is_first=not waiting)
        if not waiting and not is_inside:
            yield line
            continue
        waiting.append(line)
        size += len(line)
        if size > MAX_RECORD:
            raise UnreadableTableError("a quote that never ends")
        if not is_inside:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        raise UnreadableTableError("a quote that never ends")


def _ends_inside(line: bytes, delimiter: bytes | None, *, is_inside: bool, is_first: bool) -> bool:
    """Tell whether a quoted field goes on behind *line*."""
    if b'"' not in line:
        return is_inside
    at = len(_MARK) if is_first and delimiter is None and line.startswith(_MARK) else 0
    if delimiter is None:  # a header: quotes come in pairs whatever parts the fields
        return is_inside ^ bool(line.count(b'"') % 2)
    while True:
        if is_inside:
            quote = line.find(b'"', at)
            if quote < 0:
                return True
            if line[quote + 1 : quote + 2] == b'"':
                at = quote + 2
                continue
            at, is_inside = quote + 1, False
        elif line[at : at + 1] == b'"':
            at, is_inside = at + 1, True
            continue
        stop = line.find(delimiter, at)
        if stop < 0:
            return False
        at = stop + 1


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Yield lines with their ends: those at which the header ends, so that another kind is data."""
    rest = source.read(_CHUNK)
    is_inside = False
    end = b"\n"
    for match in _ENDS.finditer(rest):
        if match.group() == b'"':
            is_inside = not is_inside
        elif not is_inside:
            end = b"\r" if match.group() == b"\r" and match.end() < len(rest) else b"\n"
            break
    while rest:
        chunk = source.read(_CHUNK)
        *whole, rest = rest.split(end)
        yield from (line + end for line in whole)
        if not chunk:
            break
        if len(rest) > MAX_RECORD:
            raise UnreadableTableError("a line that never ends")
        rest += chunk
    if rest:
        yield rest
