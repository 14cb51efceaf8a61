"""Segments as bytes: round trips, damage, and finding rows without reading all of them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.errors import DataverError, FormatError, UnsupportedError
from dataver.formats import codec, segment, segment_window
from dataver.formats.segment import PackRef, SegmentRef
from dataver.formats.segment_window import Bracket
from dataver.model.names import ObjectName
from tests.store import samples

PACK_SIZE = 10**9
_ROW = struct.Struct("<34sBBQQQI")


def blob(digest: bytes) -> ObjectName:
    return ObjectName(b"\x01\x01" + digest)


@st.composite
def segments(draw: st.DrawFn) -> tuple[bytes, SegmentRef, list[bytes]]:
    packs = tuple(PackRef(samples.id_of(n), PACK_SIZE) for n in range(draw(st.integers(1, 4))))
    digests = draw(st.lists(st.tuples(st.sampled_from([1, 2, 4, 5]), st.binary(min_size=32, max_size=32))))
    rows = {
        _ROW.pack(
            bytes((kind, 1)) + digest,
            codec.ZSTD,
            0,
            draw(st.integers(8, 1000)),
            draw(st.integers(0, 1000)),
            draw(st.integers(0, 2**40)),
            draw(st.integers(0, len(packs) - 1)),
        )
        for kind, digest in digests
    }
    ordered = sorted(rows)
    data = segment.encode_segment(draw(st.binary(min_size=16, max_size=16)), packs, ordered)
    return data, SegmentRef(segment.segment_id(data), len(packs), len(ordered)), ordered


@given(segments())
def test_a_segment_reads_as_it_was_written(made: tuple[bytes, SegmentRef, list[bytes]]) -> None:
    data, ref, rows = made

    head, found = segment.decode_segment(data, ref)

    segment.check_rows(head, found)
    assert bytes(found) == b"".join(rows)
    assert segment.encode_segment(data[8:24], head.packs, rows) == data


@given(segments(), st.data())
def test_a_flipped_bit_never_passes(
    made: tuple[bytes, SegmentRef, list[bytes]], choice: st.DataObject
) -> None:
    data, ref, _ = made
    at = choice.draw(st.integers(0, len(data) - 1))
    flipped = bytearray(data)
    flipped[at] ^= 1 << choice.draw(st.integers(0, 7))

    with pytest.raises((FormatError, UnsupportedError)):
        segment.decode_segment(bytes(flipped), ref)


@given(segments(), st.data())
def test_a_truncated_segment_never_passes(
    made: tuple[bytes, SegmentRef, list[bytes]], choice: st.DataObject
) -> None:
    data, ref, _ = made
    cut = choice.draw(st.integers(0, len(data) - 1))

    with pytest.raises(FormatError):
        segment.decode_segment(data[:cut], ref)


def test_another_version_asks_for_an_upgrade() -> None:
    data, ref = samples.segment()

    with pytest.raises(UnsupportedError):
        segment.decode_head(data[:6] + b"\0\2" + data[8:], ref)


def test_counts_that_differ_from_the_journal_are_refused() -> None:
    data, ref = samples.segment()

    for wrong in (ref._replace(rows=5), ref._replace(packs=3)):
        with pytest.raises(FormatError):
            segment.decode_head(data, wrong)


def _one_row(**changes: int) -> bytes:
    fields = {"codec": 0, "flags": 0, "offset": 8, "stored": 10, "raw": 10, "ordinal": 0, **changes}
    return _ROW.pack(blob(bytes(32)), *fields.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"codec": 9},
        {"flags": 1},
        {"offset": 7},
        {"offset": PACK_SIZE},
        {"stored": 11},
        {"stored": 2**63, "codec": 1},
        {"ordinal": 1},
    ],
)
def test_a_row_that_points_nowhere_is_refused(changes: dict[str, int]) -> None:
    row = _one_row(**changes)
    data = segment.encode_segment(bytes(16), (PackRef(samples.id_of(1), PACK_SIZE),), [row])
    head, rows = segment.decode_segment(data, SegmentRef(segment.segment_id(data), 1, 1))

    with pytest.raises(DataverError):
        segment.check_rows(head, rows)
    with pytest.raises(DataverError):
        head.place(row)


def test_rows_that_are_not_sorted_are_refused_by_reader_and_writer() -> None:
    low, high = (_ROW.pack(blob(bytes([n] * 32)), 0, 0, 8, 1, 1, 0) for n in (1, 2))
    packs = (PackRef(samples.id_of(1), PACK_SIZE),)
    good = segment.encode_segment(bytes(16), packs, [low, high])
    bad = good[: -len(low + high)] + high + low

    head, rows = segment.decode_segment(bad, SegmentRef(segment.segment_id(bad), 1, 2))

    with pytest.raises(FormatError):
        segment.check_rows(head, rows)
    with pytest.raises(ValueError, match="order"):
        segment.encode_segment(bytes(16), packs, [high, low])


def test_a_name_with_padding_that_is_not_zero_is_refused() -> None:
    row = _ROW.pack(b"\x01\x02" + bytes(16) + b"x" * 16, 0, 0, 8, 1, 1, 0)
    data = segment.encode_segment(bytes(16), (PackRef(samples.id_of(1), PACK_SIZE),), [row])
    head, rows = segment.decode_segment(data, SegmentRef(segment.segment_id(data), 1, 1))

    with pytest.raises(DataverError):
        segment.check_rows(head, rows)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=400, unique=True), st.data())
def test_narrowing_windows_end_at_the_row_or_prove_that_there_is_none(
    digests: list[bytes], choice: st.DataObject
) -> None:
    ordered = sorted(digests)
    rows = b"".join(_ROW.pack(blob(digest), 0, 0, 8, 1, 1, 0) for digest in ordered)
    digest = choice.draw(st.one_of(st.sampled_from(ordered), st.binary(min_size=32, max_size=32)))
    name = blob(digest)
    bracket = Bracket(0, len(ordered))
    found = -1

    for _ in range(200):
        if bracket.low >= bracket.high or found >= 0:
            break
        start, stop = segment_window.window(name, bracket)
        part = rows[start * 64 : stop * 64]
        row = segment_window.find_row(part, 0, stop - start, name)
        if part[row * 64 : row * 64 + 34] == name:
            found = start + row
        else:
            bracket = segment_window.narrowed(name, bracket, start, part)

    assert found == (ordered.index(digest) if digest in ordered else -1)
