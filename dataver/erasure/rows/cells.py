"""Cells of Arrow columns by their types, and the values in a form that cells can be compared to."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from dataver.erasure.rows.needles import Needles
from dataver.errors import UnreadableTableError

_EXACT = 1 << 53
"""Integers beyond it are not told apart as floats."""
UUID_SIZE = 16
NO = pa.scalar(value=False)


def comparable(array: Any) -> Any:
    kind = array.type
    if pt.is_string(kind) or is_view(kind):
        return array.cast(pa.large_binary())
    if pt.is_large_string(kind) or pt.is_binary(kind) or pt.is_fixed_size_binary(kind):
        return array.cast(pa.large_binary())
    if is_number(kind) or pt.is_large_binary(kind):
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
    if pt.is_fixed_size_binary(kind) and kind.byte_width == UUID_SIZE:
        found += needles.uuids
    return pa.array(found, pa.large_binary())


def _decimal(text: str, kind: Any) -> Decimal | None:
    try:
        found = Decimal(text)
        pa.scalar(found, kind)
    except (InvalidOperation, pa.ArrowException, ValueError):
        return None
    return found


def is_number(kind: Any) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))


def is_view(kind: Any) -> bool:
    return str(kind) in ("string_view", "binary_view")


def is_text(kind: Any) -> bool:
    return bool(
        pt.is_string(kind)
        or pt.is_large_string(kind)
        or pt.is_binary(kind)
        or pt.is_large_binary(kind)
        or pt.is_fixed_size_binary(kind)
        or is_view(kind)
    )


def has_dictionary(kind: Any) -> bool:
    """Tell whether a type is a dictionary or has one inside."""
    if isinstance(kind, pa.BaseExtensionType):
        return has_dictionary(kind.storage_type)
    if pt.is_dictionary(kind):
        return True
    return any(has_dictionary(kind.field(n).type) for n in range(kind.num_fields))
