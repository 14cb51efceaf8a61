"""Columns of Arrow: which rows go, and copies that hold nothing of them.

An Arrow slice or filter may keep the buffers of the whole, a dictionary the categories of rows that
are gone, a null the value that it hides.  So rows are taken, never sliced, and dictionaries are made
anew of what is used.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from dataver.erasure.rows.cells import NO, comparable, has_dictionary, is_view, wanted_as
from dataver.erasure.rows.needles import Needles
from dataver.errors import UnreadableTableError


def in_one(column: Any) -> Any:
    """Return a chunked column as one array with one dictionary.  Raises: UnreadableTableError."""
    whole = (
        column.unify_dictionaries().combine_chunks()
        if has_dictionary(column.type)
        else column.combine_chunks()
    )
    if isinstance(whole, pa.ChunkedArray):
        if whole.num_chunks > 1:
            raise UnreadableTableError("more than 2 GB of text in one column of one group of rows")
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], whole.type)
    return whole


def key_name(schema: Any, key: str) -> list[str]:
    """Return the column that *key* names, and the fields in it.  Raises: UnreadableTableError."""
    if schema.names.count(key) == 1:
        return [key]
    parts = key.split(".")
    for count in range(1, len(parts)):
        column = ".".join(parts[:count])
        if schema.names.count(column) == 1:
            found, rest = schema.field(column).type, parts[count:]
            while rest and pt.is_struct(found) and found.get_field_index(rest[0]) >= 0:
                found, rest = found.field(rest[0]).type, rest[1:]
            if not rest:
                return [column, *parts[count:]]
    raise UnreadableTableError(f"no column {key!r}, or more than one")


def staying(column: Any, inner: list[str], needles: Needles) -> Any:
    """Return the numbers of the rows that stay; *inner* leads into a struct column."""
    for name in inner:
        column = pc.struct_field(column, name)
    return pc.indices_nonzero(pc.invert(pc.fill_null(_is_wanted(column, needles), NO)))


def _is_wanted(array: Any, needles: Needles) -> Any:
    """Return for each row whether it holds one of the values."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _is_wanted(array.storage, needles)
    if pt.is_dictionary(kind):
        return pc.take(_is_wanted(array.dictionary, needles), array.indices)
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        hit = pc.filter(pc.list_parent_indices(array), _is_wanted(pc.list_flatten(array), needles))
        return pc.is_in(pa.array(range(len(array)), pa.int64()), value_set=pc.unique(hit.cast(pa.int64())))
    if pt.is_null(kind):
        return pa.array([False] * len(array))
    return pc.is_in(comparable(array), value_set=wanted_as(kind, needles))


def fresh(array: Any, rows: Any) -> Any:
    """Return *rows* of *array* in buffers of their own, dictionaries without what is not used."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, fresh(array.storage, rows))
    if is_view(kind):  # a view's copy shares the text of the whole
        plain = pa.large_string() if str(kind) == "string_view" else pa.large_binary()
        return fresh(array.cast(plain), rows).cast(kind)
    if pt.is_run_end_encoded(kind):
        taken = fresh(pc.run_end_decode(array), rows)
        return pc.run_end_encode(taken, run_end_type=kind.run_end_type)
    try:
        taken = array.take(rows)
    except pa.ArrowException as error:
        raise UnreadableTableError(f"a column of type {kind}") from error
    return _compacted(taken) if has_dictionary(kind) else taken


def _compacted(array: Any) -> Any:
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, _compacted(array.storage))
    if pt.is_dictionary(kind):
        used = pc.drop_null(pc.unique(array.indices))
        used = used.take(pc.array_sort_indices(used))
        indices = pc.index_in(array.indices, value_set=used).cast(kind.index_type)
        return pa.DictionaryArray.from_arrays(indices, fresh(array.dictionary, used), ordered=kind.ordered)
    if pt.is_struct(kind):
        inner = [
            _compacted(array.field(n)) if has_dictionary(f.type) else array.field(n)
            for n, f in enumerate(kind)
        ]
        return pa.StructArray.from_arrays(inner, fields=list(kind), mask=array.is_null())
    # Lists of categories are rare: made anew of Python's values.
    return pa.array(array.to_pylist(), kind)
