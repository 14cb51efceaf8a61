"""What is still to be seen of the values in Arrow's columns: in cells, in dictionaries, under nulls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from dataver.erasure.rows.cells import (
    NO,
    comparable,
    has_dictionary,
    is_number,
    is_text,
    is_view,
    wanted_as,
)
from dataver.erasure.rows.needles import Needles

_NUMBER_SIZE = 8


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
    if is_number(kind):
        return frozenset(str(int(value)) for value in _equal(leaf, needles))
    if not is_text(kind):
        return frozenset()
    cells = leaf.cast(pa.large_binary())
    found: set[str] = set()
    if pt.is_fixed_size_binary(kind):
        found.update(needles.uuids[value] for value in _equal(leaf, needles) if value in needles.uuids)
    if needles.anywhere.search(_visible_text(cells)):
        found.update(text for cell in pc.unique(cells).to_pylist() if cell for text in needles.in_text(cell))
    return frozenset(found)


def _equal(leaf: Any, needles: Needles) -> list[Any]:
    """Return the different cells of a plain array that are values as a whole."""
    hit = pc.is_in(comparable(leaf), value_set=wanted_as(leaf.type, needles))
    return pc.unique(pc.filter(leaf, pc.fill_null(hit, NO))).to_pylist()  # type: ignore[no-any-return]


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
        if is_text(leaf.type) and form in bytes(_visible_text(leaf.cast(pa.large_binary()))):
            return True
        if len(form) == _NUMBER_SIZE and _holds_number(leaf, int.from_bytes(form, "little", signed=True)):
            return True
    return False


def _holds_number(leaf: Any, number: int) -> bool:
    """Tell whether cells of four or eight bytes, times among them, are *number* as bytes."""
    for plain in (pa.int64(), pa.int32()):
        if pt.is_primitive(leaf.type) and leaf.type.bit_width == plain.bit_width:
            return number in set(pc.unique(leaf.view(plain)).to_pylist())
    return False


def hidden_in(leaf: Any, needles: Needles) -> frozenset[str]:
    """Return the values in what a plain array's buffers hold beside its cells: under nulls, around them."""
    kind = leaf.type
    buffers = leaf.buffers()
    if is_view(kind):
        return frozenset(v for b in buffers[2:] if b for v in needles.in_text(b.to_pybytes()))
    if leaf.null_count == 0 or len(buffers) < 2 or not (is_text(kind) or is_number(kind)):
        return frozenset()
    bare = pa.Array.from_buffers(kind, len(leaf), [None, *buffers[1:]], offset=leaf.offset)
    return cells_of(bare, needles)
