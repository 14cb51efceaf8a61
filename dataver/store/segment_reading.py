"""Names found in segments of which there is no copy, in ranged reads of a few rows each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from dataver.errors import FormatError, MissingObjectError
from dataver.formats import segment, segment_window
from dataver.formats.layout import segment_key
from dataver.formats.segment import Head, Place, SegmentRef
from dataver.formats.segment_window import Bracket
from dataver.model.names import NAME_SIZE, ObjectName
from dataver.store.bucket import Bucket, KeyMissingError, get_all

_FEW_ROWS = 256
"""What remains is read whole when it is this little."""
_MOST_ROUNDS = 6
_NAMES_AT_ONCE = 64
"""Bounds what is held: a window in ten million rows has 400 kB."""


class _Sought(NamedTuple):
    name: ObjectName
    ref: SegmentRef
    bracket: Bracket


def lost_segment(ref: SegmentRef) -> MissingObjectError:
    """Return the error that says that a live segment is gone."""
    return MissingObjectError(f"segment {ref.segment_id.hex()[:12]}", "the remote")


def search_by_windows(
    bucket: Bucket,
    heads: Mapping[SegmentRef, Head],
    names: Sequence[ObjectName],
    without: Set[bytes],
    jobs: int,
) -> Iterator[tuple[ObjectName, Place]]:
    """Yield where *names* lie, each once at most, outside the packs *without*.

    Raises: FormatError, UnsupportedError, MissingObjectError for a segment that is gone, RemoteError.
    """
    for start in range(0, len(names), _NAMES_AT_ONCE):
        yield from _search(bucket, heads, names[start : start + _NAMES_AT_ONCE], without, jobs)


def _search(
    bucket: Bucket,
    heads: Mapping[SegmentRef, Head],
    names: Sequence[ObjectName],
    without: Set[bytes],
    jobs: int,
) -> Iterator[tuple[ObjectName, Place]]:
    pending = [
        _Sought(name, ref, Bracket(low, high))
        for ref, head in heads.items()
        for name in names
        for low, high in (head.bounds(name),)
        if low < high
    ]
    found: set[ObjectName] = set()
    for number in range(_MOST_ROUNDS):
        windows = [_window(one, is_last=number == _MOST_ROUNDS - 1) for one in pending]
        requests = []
        for one, (start, stop) in zip(pending, windows, strict=True):
            at = heads[one.ref].size + start * segment.ROW_SIZE
            requests.append((segment_key(one.ref.segment_id), at, (stop - start) * segment.ROW_SIZE))
        answers = get_all(bucket, requests, jobs)
        asked, pending = pending, []
        for one, (start, stop), rows in zip(asked, windows, answers, strict=True):
            if isinstance(rows, KeyMissingError):
                raise lost_segment(one.ref) from rows
            if len(rows) != (stop - start) * segment.ROW_SIZE:
                raise FormatError(f"segment {one.ref.segment_id.hex()[:12]}", "truncated")
            place, rests = _look(heads[one.ref], one, start, rows, without)
            if place is None:
                pending.extend(one._replace(bracket=rest) for rest in rests if rest.low < rest.high)
            elif one.name not in found:
                found.add(one.name)
                yield one.name, place
        pending = [one for one in pending if one.name not in found]


def _window(one: _Sought, *, is_last: bool) -> tuple[int, int]:
    if is_last or one.bracket.high - one.bracket.low <= _FEW_ROWS:
        return one.bracket.low, one.bracket.high
    return segment_window.window(one.name, one.bracket)


def _look(
    head: Head, one: _Sought, start: int, rows: bytes, without: Set[bytes]
) -> tuple[Place | None, list[Bracket]]:
    """Return the place that a window shows, or where the name's rows may stand yet."""
    name, bracket = one.name, one.bracket
    stop = start + len(rows) // segment.ROW_SIZE
    first = row = segment_window.find_row(rows, 0, stop - start, name)
    while rows[row * segment.ROW_SIZE : row * segment.ROW_SIZE + NAME_SIZE] == name:
        place = head.place(rows, row * segment.ROW_SIZE)
        if place.pack_id not in without:
            return place, []
        row += 1
    if row == first:
        return None, [segment_window.narrowed(name, bracket, start, rows)]
    # Its rows reach an end of the window: others, in packs that do count, may stand beyond it.
    prefix = segment_window.prefix_of(name)
    rests = []
    if first == 0:
        rests.append(Bracket(bracket.low, start, bracket.above, prefix))
    if start + row == stop:
        rests.append(Bracket(stop, bracket.high, prefix, bracket.below))
    return None, rests
