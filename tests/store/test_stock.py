"""What a remote holds, counted from one listing and the beginnings of its segments."""

from __future__ import annotations

import pytest

from dataver.disk.disk import Clock
from dataver.formats import layout
from dataver.model.names import BLOB
from dataver.store.leases import Lease
from dataver.store.memory import MemoryBucket
from dataver.store.remote import Remote
from dataver.store.stock import take_stock
from tests.store.packs import make_pack, objects


def _remote(bucket: MemoryBucket, *counts: int) -> Remote:
    """Return a remote with one push for each of *counts*: a pack of so many blobs."""
    remote = Remote.create(bucket)
    for number, count in enumerate(counts):
        data, table = make_pack(objects(count, f"push {number}"))
        with remote.begin("writer", "repo") as push:
            push.add_pack(data, table, len(data))
            push.commit([])
    remote.refresh()
    return remote


def _fresh(bucket: MemoryBucket) -> Remote:
    """Return the remote as a clone sees it that has no copies."""
    remote = Remote.open(bucket)
    remote.refresh()
    return remote


def test_objects_are_counted_with_their_stored_bytes() -> None:
    bucket = MemoryBucket()

    stock = take_stock(_remote(bucket, 10, 20))

    sizes = [
        len(data) for number, count in ((0, 10), (1, 20)) for _, data in objects(count, f"push {number}")
    ]
    assert {kind: (a.count, a.size) for kind, a in stock.objects.items()} == {BLOB: (30, sum(sizes))}


def test_live_packs_are_those_that_lie_there() -> None:
    stock = take_stock(_remote(MemoryBucket(), 10, 20))

    assert stock.live_packs == stock.listed.packs
    assert len(stock.live_packs) == 2


def test_a_pack_that_no_segment_names_is_listed_and_not_live() -> None:
    bucket = MemoryBucket()
    remote = _remote(bucket, 5)
    data, table = make_pack(objects(3, "lost"))
    bucket.put(layout.pack_key(table.pack_id), data)

    stock = take_stock(remote)

    assert stock.listed.packs.keys() - stock.live_packs.keys() == {table.pack_id}


def test_entries_of_the_journal_are_counted_and_its_hint_is_none() -> None:
    stock = take_stock(_remote(MemoryBucket(), 1, 1, 1))

    assert stock.listed.journal.count == 3


def test_a_writer_at_work_is_named() -> None:
    bucket = MemoryBucket()
    remote = _remote(bucket, 1)
    lease = Lease(bucket, Clock(), "somebody")

    stock = take_stock(remote)

    assert stock.listed.writers == [lease.writer]


def test_a_live_segment_that_is_gone_is_said_and_the_rest_is_counted() -> None:
    bucket = MemoryBucket()
    remote = _remote(bucket, 4, 6)
    gone = next(ref for ref in remote.live_segments() if ref.rows == 4)
    bucket.delete([layout.segment_key(gone.segment_id)])

    stock = take_stock(_fresh(bucket))

    assert [error.code for error in stock.unreadable] == ["missing-object"]
    assert stock.objects[BLOB].count == 6


@pytest.mark.parametrize("has_copies", [True, False])
def test_it_costs_a_listing_and_at_most_a_request_for_each_small_segment(
    has_copies: bool,
) -> None:
    bucket = MemoryBucket()
    remote = _remote(bucket, *[3] * 5)
    if not has_copies:
        remote = _fresh(bucket)
    before = bucket.requests

    stock = take_stock(remote)

    assert stock.listed.requests == 1
    assert bucket.requests - before == (1 if has_copies else 6)


def test_of_a_large_segment_only_a_sample_is_read() -> None:
    count = 70_000
    bucket = MemoryBucket()
    remote = _remote(bucket, count)
    requests, received = bucket.requests, bucket.received

    stock = take_stock(remote)

    true_size = sum(len(data) for _, data in objects(count, "push 0"))
    assert stock.is_sampled
    assert stock.objects[BLOB].count == count
    assert abs(stock.objects[BLOB].size - true_size) < true_size / 50
    assert bucket.requests - requests == 1 + 2
    assert bucket.received - received < 1_200_000
