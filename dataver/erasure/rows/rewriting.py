"""Take the rows of some subjects out of a table: the way into this room.

What is written is examined before anybody may use it: a value may stand only where rows that stay
have it, which is reported.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from dataver.erasure.rows import delimited, jsonlines
from dataver.erasure.rows.kinds import Rewritten, TableKind
from dataver.erasure.rows.needles import Needles
from dataver.errors import MissingTablesError, RowsLeftError, UnreadableTableError, local_error

if TYPE_CHECKING:
    from dataver.erasure.rows.columnar import Columnar

_DELIMITERS = {TableKind.CSV: (b",", b";", b"\t", b"|"), TableKind.TSV: (b"\t",)}


def rewrite(path_in: str, path_out: str, kind: TableKind, key: str, values: Collection[str]) -> Rewritten:
    """Write the table *path_in* to *path_out* without the rows whose column *key* is one of *values*.

    Values are compared as text: an integer by its decimal digits.  Dots in *key* go into nested
    objects.  Rows that stay are equal, and in text the same bytes.  *path_out* is a file that may be
    overwritten; it is not synced, and no good after an error.

    Raises: UnreadableTableError, RowsLeftError where a value is left that no row explains,
    MissingTablesError, UsageError, local errors.
    """
    needles = Needles(values)
    try:
        if kind in _DELIMITERS or kind is TableKind.JSONL:
            with open(path_in, "rb") as source, open(path_out, "wb") as target:
                if kind is TableKind.JSONL:
                    return jsonlines.rewrite(source, target, key, needles)
                return delimited.rewrite(source, target, key, needles, delimiters=_DELIMITERS[kind])
        table = _columnar(kind)
        done = table.rewrite(path_in, path_out, key, needles)
        held = done.held_values or _is_left(table, path_in, needles)
        return Rewritten(done.rows_removed, done.rows_kept, table.examine(path_out, needles), held)
    except OSError as error:
        raise local_error(error, path_in) from error


def examine(path: str, kind: TableKind, values: Collection[str]) -> tuple[str, ...]:
    """Return the columns of a Parquet or Arrow table in which rows hold one of *values*.

    Raises: RowsLeftError where a value stands in metadata, dictionaries, statistics or bytes, and no
    row has it; UnreadableTableError, MissingTablesError, UsageError, local errors.
    """
    try:
        return _columnar(kind).examine(path, Needles(values))
    except OSError as error:
        raise local_error(error, path) from error


def columns_of(data: bytes, kind: TableKind, wanted: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Yield two columns of a whole table in memory, CSV, TSV or Parquet, as text.

    Raises: UnreadableTableError, MissingTablesError.
    """
    if kind in _DELIMITERS:
        for one, other in delimited.columns_of(io.BytesIO(data), wanted, delimiters=_DELIMITERS[kind]):
            yield one.decode("utf-8", "surrogateescape"), other.decode("utf-8", "surrogateescape")
    elif kind is TableKind.PARQUET:
        left, right = _columnar(kind).columns_of(data, wanted)
        yield from ((str(a), str(b)) for a, b in zip(left, right, strict=True) if None not in (a, b))
    else:
        raise UnreadableTableError("neither CSV nor Parquet")


def _is_left(table: Columnar, path: str, needles: Needles) -> bool:
    try:
        table.examine(path, needles)
    except RowsLeftError:
        return True
    return False


def _columnar(kind: TableKind) -> Columnar:
    try:
        from dataver.erasure.rows.columnar import columnar  # pyarrow is an optional extra, and takes 100 ms
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "pyarrow":
            raise
        raise MissingTablesError from error
    return columnar(kind)
