"""Parquet: row groups written anew without the rows, in the same schema and compression.

What a reader never shows keeps values too: dictionary pages, statistics, key-value metadata, and the
Arrow schema in base64 among it.  All are written anew, and looked through afterwards.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Set
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataver.erasure.rows.columns import fresh, in_one, key_name, staying
from dataver.erasure.rows.kinds import Rewritten
from dataver.erasure.rows.metadata import clean_schema, fit_range
from dataver.erasure.rows.needles import Needles
from dataver.erasure.rows.pages import dictionary_values
from dataver.erasure.rows.sight import holds, seen_in
from dataver.errors import RowsLeftError, UnreadableTableError

_ARROW_SCHEMA = b"ARROW:schema"
_CODECS = {"UNCOMPRESSED": "NONE", "LZ4_RAW": "LZ4"}
_DICTIONARY = frozenset(("PLAIN_DICTIONARY", "RLE_DICTIONARY"))


def rewrite(path_in: str, path_out: str, key: str, needles: Needles) -> Rewritten:
    """Write the table without the rows; a row group at a time.  Raises: UnreadableTableError."""
    removed = kept = 0
    with pq.ParquetFile(path_in) as source:
        name, *inner = key_name(source.schema_arrow, key)
        rows = []
        for number in range(source.num_row_groups):
            column = in_one(source.read_row_group(number, columns=[name], use_threads=False).column(0))
            rows.append(staying(column, inner, needles))
            removed += len(column) - len(rows[-1])
            kept += len(rows[-1])
        schema = fit_range(clean_schema(source.schema_arrow, needles), kept)
        with pq.ParquetWriter(path_out, schema, **_options(source.metadata)) as writer:
            for number, wanted in enumerate(rows):
                if not len(wanted):
                    continue
                table = source.read_row_group(number, use_threads=False)
                columns = [fresh(in_one(column), wanted) for column in table.columns]
                whole = pa.Table.from_arrays(columns, schema=schema)
                writer.write_table(whole, row_group_size=max(len(wanted), 1))
    return Rewritten(removed, kept, (), bool(removed))


def _options(metadata: Any) -> dict[str, Any]:
    """Return how the new file is written: as the old one was."""
    found: dict[str, Any] = {
        "version": "2.6",
        "store_schema": _ARROW_SCHEMA in (metadata.metadata or {}),
    }
    if metadata.num_row_groups:
        group = metadata.row_group(0)
        columns = [group.column(n) for n in range(group.num_columns)]
        found["compression"] = {c.path_in_schema: _CODECS.get(c.compression, c.compression) for c in columns}
        found["use_dictionary"] = [c.path_in_schema for c in columns if _DICTIONARY.intersection(c.encodings)]
        found["write_statistics"] = [c.path_in_schema for c in columns if c.is_stats_set]
        found["sorting_columns"] = group.sorting_columns or None
    return found


def examine(path: str, needles: Needles) -> tuple[str, ...]:
    """Return the columns in which rows hold a value.

    Raises: RowsLeftError where a value stands and no row has it.
    """
    residue: set[str] = set()
    with pq.ParquetFile(path) as source, open(path, "rb") as file:
        for number in range(source.num_row_groups):
            table = source.read_row_group(number, use_threads=False)
            seen: dict[str, frozenset[str]] = {}
            for name, column in zip(table.column_names, table.columns, strict=True):
                found = frozenset().union(*(seen_in(chunk, needles) for chunk in column.chunks))
                seen[name] = seen.get(name, frozenset()) | found
            residue.update(name for name, found in seen.items() if found)
            _check_group(source, number, file, needles, seen)
        _check_metadata(source, needles)
        file.seek(0)
        for form in needles.in_file(file):
            if not _is_explained(source, form):
                raise RowsLeftError("the file's bytes", "no row that stays has it")
    return tuple(sorted(residue))


def _is_explained(source: Any, form: bytes) -> bool:
    groups = (source.read_row_group(n, use_threads=False) for n in range(source.num_row_groups))
    return any(holds(chunk, form) for group in groups for column in group.columns for chunk in column.chunks)


def _check_group(
    source: Any, number: int, file: Any, needles: Needles, seen: dict[str, frozenset[str]]
) -> None:
    group = source.metadata.row_group(number)
    for position in range(group.num_columns):
        column = group.column(position)
        allowed = _allowed(column.path_in_schema, seen)
        statistics = column.statistics
        if statistics is not None and statistics.has_min_max:
            for value in (statistics.min, statistics.max):
                _check(value, needles, allowed, f"the statistics of {column.path_in_schema}")
        if column.has_dictionary_page and _says_what_it_holds(source.schema.column(position)):
            file.seek(column.dictionary_page_offset)
            chunk = file.read(column.data_page_offset - column.dictionary_page_offset)
            width = source.schema.column(position).length
            unpack = _unpacker(column.compression)
            for value in dictionary_values(chunk, column.physical_type, width or 0, unpack):
                _check(value, needles, allowed, f"a dictionary page of {column.path_in_schema}")


def _says_what_it_holds(column: Any) -> bool:
    """Tell whether a column's pages hold the values that rows show: not so with times and decimals."""
    if column.physical_type in ("BYTE_ARRAY", "FLOAT", "DOUBLE"):
        return bool(column.logical_type.type != "DECIMAL")
    if column.physical_type == "FIXED_LEN_BYTE_ARRAY":
        return column.logical_type.type in ("NONE", "UUID")
    return column.physical_type in ("INT32", "INT64") and column.logical_type.type in ("NONE", "INT")


def _allowed(path: str, seen: dict[str, frozenset[str]]) -> frozenset[str]:
    """Return what rows show of the column that a path in the schema belongs to; its name may hold dots."""
    return frozenset().union(
        *(found for name, found in seen.items() if path == name or path.startswith(name + "."))
    )


def _check(value: object, needles: Needles, allowed: frozenset[str], where: str) -> None:
    """Refuse a value that stands in *where* and that no row shows."""
    match value:
        case bytes() | str():
            raw = value if isinstance(value, bytes) else value.encode("utf-8", "replace")
            left: Set[str] = needles.in_text(raw) | {needles.uuids.get(raw, "")} - {""}
        case bool():
            return
        case int() | float() if value == value // 1:
            left = {str(int(value))} & needles.texts
        case _:
            return
    if left - allowed:
        raise RowsLeftError(where, "no row that stays has it")


def _unpacker(codec: str) -> Any:
    if codec == "UNCOMPRESSED":
        return lambda data, size: data
    name = {"LZ4": "lz4_raw"}.get(codec, codec.lower())
    return lambda data, size: pa.Codec(name).decompress(data, size, asbytes=True)


def _check_metadata(source: Any, needles: Needles) -> None:
    texts = [name.encode() for name in source.schema_arrow.names]
    for key, value in (source.metadata.metadata or {}).items():
        texts += [key, value]
        if key == _ARROW_SCHEMA:
            try:
                texts.append(base64.b64decode(value))
            except binascii.Error as error:
                raise UnreadableTableError("its Arrow schema is no base64") from error
    texts.append(bytes(source.schema_arrow.serialize()))
    if any(needles.in_text(text) for text in texts):
        raise RowsLeftError("the metadata", "a name or a note holds it")
