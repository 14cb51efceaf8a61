"""Columns of Arrow: which rows go, copies that hold nothing of them, and what is still to be seen.

An Arrow slice or filter may keep the buffers of the whole, a dictionary the categories of rows that
are gone, a null the value that it hides.  So rows are taken, never sliced, and dictionaries are made
anew of what is used.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from dataver.erasure.rows.needles import Needles
from dataver.errors import UnreadableTableError

_EXACT = 1 << 53
"""Integers beyond it are not told apart as floats."""
_UUID_SIZE = 16
_NO = pa.scalar(value=False)


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
    return pc.indices_nonzero(pc.invert(pc.fill_null(_is_wanted(column, needles), _NO)))


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
    return pc.is_in(_comparable(array), value_set=wanted_as(kind, needles))


def _comparable(array: Any) -> Any:
    kind = array.type
    if pt.is_string(kind) or _is_view(kind):
        return array.cast(pa.large_binary())
    if pt.is_large_string(kind) or pt.is_binary(kind) or pt.is_fixed_size_binary(kind):
        return array.cast(pa.large_binary())
    if _is_number(kind) or pt.is_large_binary(kind):
        return array
    try:
        return array.cast(pa.large_string()).cast(pa.large_binary())
    except pa.ArrowException as error:
        raise UnreadableTableError(f"a key column of type {kind}") from error


def wanted_as(kind: Any, needles: Needles) -> Any:
    """Return the values as an array that cells of type *kind* can be compared to."""
    if pt.is_integer(kind):
        low = -(1 << (kind.bit_width - 1)) if pt.is_signed_integer(kind) else 0
        high = low + (1 << kind.bit_width)
        return pa.array([n for n in needles.integers if low <= n < high], kind)
    if pt.is_floating(kind):
        return pa.array([float(n) for n in needles.integers if abs(n) <= _EXACT], pa.float64()).cast(kind)
    if pt.is_decimal(kind):
        return pa.array([n for text in needles.texts if (n := _decimal(text, kind)) is not None], kind)
    found = [text.encode() for text in needles.texts]
    if pt.is_fixed_size_binary(kind) and kind.byte_width == _UUID_SIZE:
        found += [raw for text in needles.texts if (raw := _uuid(text))]
    return pa.array(found, pa.large_binary())


def _uuid(text: str) -> bytes:
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        return b""


def _decimal(text: str, kind: Any) -> Decimal | None:
    try:
        found = Decimal(text)
        pa.scalar(found, kind)
    except (InvalidOperation, pa.ArrowException, ValueError):
        return None
    return found


def _is_number(kind: Any) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))


def _is_view(kind: Any) -> bool:
    return str(kind) in ("string_view", "binary_view")


# -- copies -------------------------------------------------------------------------------------------


def has_dictionary(kind: Any) -> bool:
    """Tell whether a type is a dictionary or has one inside."""
    if isinstance(kind, pa.BaseExtensionType):
        return has_dictionary(kind.storage_type)
    if pt.is_dictionary(kind):
        return True
    return any(has_dictionary(kind.field(n).type) for n in range(kind.num_fields))


def fresh(array: Any, rows: Any) -> Any:
    """Return *rows* of *array* in buffers of their own, dictionaries without what is not used."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, fresh(array.storage, rows))
    if _is_view(kind):  # a view's copy shares the text of the whole
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


# -- what is to be seen -------------------------------------------------------------------------------


def leaves(array: Any) -> Iterator[tuple[Any, bool]]:
    """Yield the plain arrays that make up *array*, each with whether it is a dictionary's."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        yield from leaves(array.storage)
    elif pt.is_dictionary(kind):
        yield from ((leaf, True) for leaf, _ in leaves(array.dictionary))
    elif pt.is_run_end_encoded(kind):
        yield from leaves(array.values)
    elif pt.is_struct(kind):
        for number in range(kind.num_fields):
            yield from leaves(array.field(number))
    elif pt.is_map(kind):
        yield from leaves(array.keys)
        yield from leaves(array.items)
    elif kind.num_fields and hasattr(array, "values"):
        yield from leaves(array.values)
    elif kind.num_fields:
        for number in range(kind.num_fields):
            yield from leaves(array.field(number))
    else:
        yield array, False


def seen_in(array: Any, needles: Needles) -> frozenset[str]:
    """Return the values that a reader finds in *array*: in whole cells, or as words in text."""
    found: set[str] = set()
    for leaf, is_dictionary in leaves(array):
        if not is_dictionary:
            found |= cells_of(leaf, needles)
    for used in _used(array):
        found |= cells_of(used, needles)
    return frozenset(found)


def _used(array: Any) -> Iterator[Any]:
    """Yield, of each dictionary inside *array*, the values that cells have."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        yield from _used(array.storage)
    elif pt.is_dictionary(kind):
        yield array.dictionary.take(pc.drop_null(pc.unique(array.indices)))
    elif pt.is_struct(kind):
        for number in range(kind.num_fields):
            yield from _used(array.field(number))
    elif pt.is_map(kind):
        yield from _used(array.keys)
        yield from _used(array.items)
    elif has_dictionary(kind) and hasattr(array, "values"):
        yield from _used(array.values)


def cells_of(leaf: Any, needles: Needles) -> frozenset[str]:
    """Return the values in the cells of a plain array."""
    kind = leaf.type
    if _is_text(kind):
        cells = leaf.cast(pa.large_binary())
        text = _visible_text(cells)
        if needles.anywhere.search(text) is None:
            return frozenset() if not pt.is_fixed_size_binary(kind) else _equal(leaf, needles, _shown_uuid)
        return frozenset(
            value for cell in pc.unique(cells).to_pylist() if cell for value in needles.in_text(cell)
        )
    return _equal(leaf, needles, str) if _is_number(kind) else frozenset()


def _equal(leaf: Any, needles: Needles, show: Callable[[Any], str]) -> frozenset[str]:
    hits = pc.filter(
        leaf, pc.fill_null(pc.is_in(_comparable(leaf), value_set=wanted_as(leaf.type, needles)), _NO)
    )
    return frozenset(show(value) for value in pc.unique(hits).to_pylist())


def _shown_uuid(value: bytes) -> str:
    return str(uuid.UUID(bytes=value)) if len(value) == _UUID_SIZE else value.hex()


def _is_text(kind: Any) -> bool:
    return bool(
        pt.is_string(kind)
        or pt.is_large_string(kind)
        or pt.is_binary(kind)
        or pt.is_large_binary(kind)
        or pt.is_fixed_size_binary(kind)
        or _is_view(kind)
    )


def _visible_text(cells: Any) -> Any:
    """Return the bytes of all cells of a large binary array, one behind the other."""
    _, offsets, text = cells.buffers()
    if text is None or not len(cells):
        return b""
    ends = memoryview(offsets).cast("B").cast("q")
    start, end = ends[cells.offset], ends[cells.offset + len(cells)]
    return memoryview(text)[start:end]


def holds(array: Any, form: bytes) -> bool:
    """Tell whether the raw bytes *form* can be explained by what a reader sees of *array*."""
    for leaf, _ in leaves(array):
        if _is_text(leaf.type) and form in bytes(_visible_text(leaf.cast(pa.large_binary()))):
            return True
        if pt.is_integer(leaf.type) and len(form) == 8:
            number = int.from_bytes(form, "little", signed=pt.is_signed_integer(leaf.type))
            if -(1 << 63) <= number < 1 << 64 and number in set(pc.unique(leaf).to_pylist()):
                return True
    return False


def hidden_in(leaf: Any, needles: Needles) -> frozenset[str]:
    """Return the values in what a plain array's buffers hold beside its cells: under nulls, around them."""
    kind = leaf.type
    buffers = leaf.buffers()
    if _is_view(kind):
        return frozenset(v for b in buffers[2:] if b for v in needles.in_text(b.to_pybytes()))
    if leaf.null_count == 0 or len(buffers) < 2 or not (_is_text(kind) or _is_number(kind)):
        return frozenset()
    bare = pa.Array.from_buffers(kind, len(leaf), [None, *buffers[1:]], offset=leaf.offset)
    return cells_of(bare, needles)
