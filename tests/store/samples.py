"""One value of each remote format, fixed for ever: golden/v1 holds their bytes."""

from __future__ import annotations

from dataver.formats import codec, journal
from dataver.formats.commit import Commit, encode_commit
from dataver.formats.journal import COMMIT, Entry, Skip
from dataver.formats.pack import Row, Table, encode_table
from dataver.formats.segment import (
    PackRef,
    SegmentRef,
    bare_rows,
    encode_segment,
    merged,
    segment_id,
    with_ordinal,
)
from dataver.formats.state import NamedRoot, RecordRef, State
from dataver.model.names import ObjectName, StructureId, blob_name, leaf_name, oid_of_digest, root_name

REMOTE_ID = "000102030405060708090a0b0c0d0e0f"


def id_of(number: int) -> StructureId:
    """Return an id that sorts by *number*."""
    return StructureId(number.to_bytes(4, "big") * 8)


def table(*rows: tuple[ObjectName, int, int, int, int]) -> Table:
    """Return a table of rows (name, codec, offset, stored, raw)."""
    return Table(
        encode_table(bytes(16), [Row(n, c, 0, at, stored, raw, 0) for n, c, at, stored, raw in rows])
    )


def segment() -> tuple[bytes, SegmentRef]:
    """Return a segment of two packs, in which one object stands twice."""
    twice = blob_name(oid_of_digest(1, id_of(7)))
    first = table(
        (blob_name(oid_of_digest(1, id_of(3))), codec.STORED, 8, 100, 100),
        (twice, codec.ZSTD, 108, 50, 400),
        (blob_name(oid_of_digest(2, bytes(range(16)))), codec.STORED, 158, 10, 10),
    )
    second = table(
        (twice, codec.ZSTD, 8, 50, 400),
        (leaf_name(id_of(9)), codec.ZSTD, 58, 60, 70),
        (root_name(id_of(10)), codec.STORED, 118, 90, 90),
    )
    packs = (PackRef(id_of(1), 500), PackRef(id_of(2), 600))
    rows = merged([with_ordinal(bare_rows(first), 0), with_ordinal(bare_rows(second), 1)])
    data = encode_segment(bytes(range(16)), packs, rows)
    return data, SegmentRef(segment_id(data), 2, 6)


def commit() -> Commit:
    return Commit(
        roots=(id_of(20), id_of(21)),
        segments_added=(SegmentRef(id_of(30), 2, 6), SegmentRef(id_of(31), 1, 5000)),
        segments_removed=(id_of(32),),
        packs_added=(PackRef(id_of(40), 33_554_432),),
        packs_removed=(id_of(41), id_of(42)),
        redacted=((id_of(50), (id_of(51), id_of(52))),),
    )


def entry() -> Entry:
    """Return a commit at a checkpoint."""
    body = encode_commit(commit())
    return Entry(
        seq=128,
        prev=id_of(127),
        time_s=1_760_000_000,
        writer="clone-1-0a1b2c",
        write_id="f" * 32,
        repo_id="repo.1",
        kind=COMMIT,
        state=id_of(60),
        skips=(Skip(8, id_of(120)), Skip(64, id_of(64))),
        body=body,
        body_hash=journal.body_hash(body),
    )


def erasure_entry() -> Entry:
    """Return an entry that carries an erasure record."""
    body = b'{"deny":["00112233445566778899aabbccddeeff"],"uid":"e"}'
    return Entry(
        seq=1,
        prev=journal.first_prev(REMOTE_ID),
        time_s=1_760_000_000,
        writer="w",
        write_id="0" * 32,
        repo_id="r",
        kind="deny",
        state=id_of(61),
        body=body,
        body_hash=journal.body_hash(body),
    )


def state() -> State:
    return State(
        segments=frozenset((SegmentRef(id_of(30), 2, 6), SegmentRef(id_of(31), 1, 5000))),
        roots={id_of(21): NamedRoot(1_760_000_000, "repo.1"), id_of(20): NamedRoot(1_750_000_000, "other")},
        records=(RecordRef(3, id_of(70)),),
        signers=(RecordRef(1, id_of(71)), RecordRef(2, id_of(72))),
        repos=frozenset(("repo.1", "other")),
        told=frozenset((id_of(80), id_of(81))),
    )
