"""Arrow's own files and streams (Feather version 2 is a file): batches written anew without the rows."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from dataver.erasure.rows.cells import has_dictionary
from dataver.erasure.rows.columns import fresh, in_one, key_name, staying
from dataver.erasure.rows.kinds import Rewritten
from dataver.erasure.rows.metadata import clean_schema, fit_range
from dataver.erasure.rows.needles import Needles
from dataver.erasure.rows.sight import cells_of, hidden_in, holds, leaves, seen_in
from dataver.errors import RowsLeftError

_FILE_START = 8
_CODECS = {0: "lz4", 1: "zstd"}
_RECORD_BATCH = 3
_COMPRESSION = 3
_BATCH_ROWS = 65_536


def rewrite(path_in: str, path_out: str, key: str, needles: Needles, *, is_stream: bool) -> Rewritten:
    """Write the table without the rows, batch by batch; metadata of single batches is left out.

    A file has one dictionary for all its batches: with a dictionary it is rewritten in one piece.
    Raises: UnreadableTableError.
    """
    with pa.OSFile(path_in) as source:
        schema = _reader(source, is_stream=is_stream).schema
        name, *inner = key_name(schema, key)
        removed = kept = 0
        for batch in _batches(source, is_stream=is_stream):
            rows = staying(batch.column(name), inner, needles)
            removed, kept = removed + batch.num_rows - len(rows), kept + len(rows)
        clean = fit_range(clean_schema(schema, needles), kept)
        options = pa.ipc.IpcWriteOptions(compression=compression_of(path_in, is_stream=is_stream))
        new = pa.ipc.new_stream if is_stream else pa.ipc.new_file
        with pa.OSFile(path_out, "wb") as target, new(target, clean, options=options) as writer:
            found = _batches(source, is_stream=is_stream)
            if not is_stream and any(has_dictionary(field.type) for field in schema):
                table = pa.Table.from_batches(list(found), schema)
                column = in_one(table.column(name))
                wanted = staying(column, inner, needles)
                whole = [fresh(in_one(one), wanted) for one in table.columns]
                if len(wanted):
                    writer.write_table(pa.Table.from_arrays(whole, schema=clean), max_chunksize=_BATCH_ROWS)
            else:
                for batch in found:
                    wanted = staying(batch.column(name), inner, needles)
                    columns = [fresh(one, wanted) for one in batch.columns]
                    if len(wanted):
                        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=clean))
    return Rewritten(removed, kept, (), bool(removed))


def examine(path: str, needles: Needles, *, is_stream: bool) -> tuple[str, ...]:
    """Return the columns in which rows hold a value.

    Raises: RowsLeftError where a value stands and no row has it.
    """
    seen: dict[str, frozenset[str]] = {}
    kept: dict[str, frozenset[str]] = {}
    with pa.OSFile(path) as source:
        schema = _reader(source, is_stream=is_stream).schema
        if needles.in_text(bytes(schema.serialize())):
            raise RowsLeftError("the metadata", "a name or a note holds it")
        for batch in _batches(source, is_stream=is_stream):
            for name, column in zip(schema.names, batch.columns, strict=True):
                seen[name] = seen.get(name, frozenset()) | seen_in(column, needles)
                for leaf, is_dictionary in leaves(column):
                    more = hidden_in(leaf, needles)
                    more |= cells_of(leaf, needles) if is_dictionary else frozenset()
                    kept[name] = kept.get(name, frozenset()) | more
        for name, found in kept.items():
            if found - seen[name]:
                raise RowsLeftError(f"a dictionary or under a null of {name}", "no row that stays has it")
        with open(path, "rb") as file:
            for form in needles.in_file(file):
                batches = _batches(source, is_stream=is_stream)
                if not any(holds(column, form) for batch in batches for column in batch.columns):
                    raise RowsLeftError("the file's bytes", "no row that stays has it")
    return tuple(sorted(name for name, found in seen.items() if found))


def _reader(source: Any, *, is_stream: bool) -> Any:
    source.seek(0)
    return pa.ipc.open_stream(source) if is_stream else pa.ipc.open_file(source)


def _batches(source: Any, *, is_stream: bool) -> Iterator[Any]:
    reader = _reader(source, is_stream=is_stream)
    if is_stream:
        yield from reader
    else:
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)


def compression_of(path: str, *, is_stream: bool) -> str | None:
    """Return the compression of the first batch, which pyarrow does not tell."""
    with pa.OSFile(path) as source:
        source.seek(0 if is_stream else _FILE_START)
        for message in pa.ipc.MessageReader.open_stream(source):
            if message.type == "record batch":
                return _compression(message.metadata.to_pybytes())
    return None


def _compression(message: bytes) -> str | None:
    """Return the codec that the metadata of a record batch names (FlatBuffers, Arrow's Message.fbs)."""
    root = struct.unpack_from("<I", message)[0]
    header = _field(message, root, 2)
    batch = header + struct.unpack_from("<I", message, header)[0] if header else 0
    at = _field(message, batch, _COMPRESSION) if batch else 0
    if not at:
        return None
    table = at + struct.unpack_from("<I", message, at)[0]
    codec = _field(message, table, 0)
    return _CODECS.get(message[codec] if codec else 0)


def _field(data: bytes, table: int, number: int) -> int:
    """Return where a FlatBuffers table has its field *number*; 0 where it has none."""
    fields = table - struct.unpack_from("<i", data, table)[0]
    size = struct.unpack_from("<H", data, fields)[0]
    at = 4 + 2 * number
    offset = struct.unpack_from("<H", data, fields + at)[0] if at + 2 <= size else 0
    return table + offset if offset else 0
