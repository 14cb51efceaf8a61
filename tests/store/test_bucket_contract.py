"""One contract for every kind of bucket, on loopback servers too; `make test-s3` adds Ceph's gateway."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataver.errors import UnsafeError
from dataver.parallel import threads_map_ordered
from dataver.store.bucket import Bucket, KeyMissingError, probe
from tests.store import kinds
from tests.store.kinds import Kind

KEY = "packs/ab/abcdef"
RACERS = 16


@pytest.fixture(params=kinds.parameters(kinds.LOCAL, kinds.SERVED))
def kind(request: pytest.FixtureRequest) -> Kind:
    """Return each kind in turn."""
    assert isinstance(request.param, Kind)
    return request.param


@pytest.fixture
def bucket(kind: Kind, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bucket]:
    """Return an empty bucket of each kind in turn."""
    yield from kinds.opened(kind, request, tmp_path)


def test_what_was_put_is_what_get_returns(bucket: Bucket) -> None:
    bucket.put(KEY, b"content")

    found = bucket.get(KEY)

    assert found == b"content"


def test_a_put_replaces_what_was_there(bucket: Bucket) -> None:
    bucket.put(KEY, b"a longer content")

    bucket.put(KEY, b"short")

    assert bucket.get(KEY) == b"short"


@pytest.mark.parametrize(
    ("start", "size", "expected"),
    [(0, 3, b"012"), (4, 2, b"45"), (7, None, b"789"), (8, 100, b"89"), (0, None, b"0123456789")],
)
def test_a_range_is_cut_at_the_end_of_the_object(
    bucket: Bucket, start: int, size: int | None, expected: bytes
) -> None:
    bucket.put(KEY, b"0123456789")

    found = bucket.get(KEY, start, size)

    assert found == expected


@pytest.mark.parametrize("start", [10, 11, 1000])
def test_a_range_behind_the_end_is_empty(bucket: Bucket, start: int) -> None:
    bucket.put(KEY, b"0123456789")

    found = bucket.get(KEY, start, 5)

    assert found == b""


def test_an_empty_object_is_an_object(bucket: Bucket) -> None:
    bucket.put(KEY, b"")

    info = bucket.head(KEY)

    assert info is not None
    assert (info.size, bucket.get(KEY), bucket.get(KEY, 0, 10)) == (0, b"", b"")


def test_a_missing_key_is_an_error_that_names_it(bucket: Bucket) -> None:
    with pytest.raises(KeyMissingError) as caught:
        bucket.get(KEY)

    assert caught.value.key == KEY


def test_a_folder_of_keys_is_no_key(bucket: Bucket) -> None:
    bucket.put(KEY, b"x")

    found = bucket.head("packs/ab")

    assert found is None


def test_get_many_answers_in_order_with_missing_keys_as_values(bucket: Bucket) -> None:
    bucket.put("segments/a", b"aaaa")
    bucket.put("segments/c", b"cccc")

    found = bucket.get_many(
        [("segments/c", 1, 2), ("segments/b", 0, None), ("segments/a", 0, None), ("segments/a", 9, 1)], 4
    )

    assert found[0] == b"cc"
    assert isinstance(found[1], KeyMissingError)
    assert found[2:] == [b"aaaa", b""]


def test_get_many_holds_many_ranges_of_one_object_apart(bucket: Bucket) -> None:
    bucket.put(KEY, bytes(range(256)))

    found = bucket.get_many([(KEY, number * 2, 2) for number in range(128)], 8)

    assert found == [bytes((number * 2, number * 2 + 1)) for number in range(128)]


def test_get_many_of_nothing_asks_nothing(bucket: Bucket) -> None:
    before = bucket.requests

    found = bucket.get_many([], 4)

    assert (found, bucket.requests) == ([], before)


def test_put_new_stores_only_where_nothing_is(bucket: Bucket) -> None:
    first = bucket.put_new(KEY, b"first")
    second = bucket.put_new(KEY, b"second")

    assert (first, second, bucket.get(KEY)) == (True, False, b"first")


def test_a_deleted_key_can_be_created_again(bucket: Bucket) -> None:
    bucket.put_new(KEY, b"first")
    bucket.delete([KEY])

    again = bucket.put_new(KEY, b"again")

    assert (again, bucket.get(KEY)) == (True, b"again")


def test_of_many_that_create_one_key_one_wins(kind: Kind, bucket: Bucket) -> None:
    if not kind.has_create_if_absent:
        pytest.skip("this store has one writer at a time")
    contents = [f"from racer {number}".encode() for number in range(RACERS)]
    ready = threading.Barrier(RACERS)
    winners: list[bytes] = []

    def race(content: bytes) -> None:
        ready.wait(10)
        if bucket.put_new(KEY, content):
            winners.append(content)

    racers = [threading.Thread(target=race, args=(content,)) for content in contents]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)

    assert winners == [bucket.get(KEY)]


def test_put_file_stores_the_bytes_of_a_file(bucket: Bucket, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 300_000)

    bucket.put_file(KEY, source)

    info = bucket.head(KEY)
    assert info is not None
    assert info.size == 300_000
    assert bucket.get(KEY) == b"x" * 300_000


def test_a_file_of_forty_mebibytes_arrives_whole(bucket: Bucket, tmp_path: Path) -> None:
    source = tmp_path / "source"
    content = hashlib.shake_128(b"forty").digest(1 << 20) * 40 + b"and a bit"
    source.write_bytes(content)

    bucket.put_file(KEY, source)

    assert bucket.get(KEY) == content


def test_put_file_of_an_empty_file_is_an_empty_object(bucket: Bucket, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"")

    bucket.put_file(KEY, source)

    assert bucket.get(KEY) == b""


def test_put_file_replaces_what_was_there(bucket: Bucket, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"whole")
    bucket.put(KEY, b"a broken upload that is longer")

    bucket.put_file(KEY, source)

    assert bucket.get(KEY) == b"whole"


def test_head_tells_size_and_time(bucket: Bucket) -> None:
    bucket.put(KEY, b"12345")

    info = bucket.head(KEY)

    assert info is not None
    assert (info.key, info.size) == (KEY, 5)
    # A store that speaks of another time zone is hours away.
    assert abs(info.modified_s - time.time()) < 300


def test_a_listing_tells_the_same_as_head(bucket: Bucket) -> None:
    bucket.put(KEY, b"12345")

    (listed,) = bucket.list("packs/")

    head = bucket.head(KEY)
    assert head is not None
    assert listed[:2] == head[:2]
    assert abs(listed.modified_s - head.modified_s) < 2


def test_head_of_nothing_is_none(bucket: Bucket) -> None:
    assert bucket.head(KEY) is None


def test_a_listing_holds_the_keys_below_a_prefix_and_no_neighbours(bucket: Bucket) -> None:
    for key in ("packs/aa/1", "packs/ab/22", "packsx/aa/3", "packs.old/4", "segments/5"):
        bucket.put(key, key.encode())

    found = sorted((info.key, info.size) for info in bucket.list("packs/"))

    assert found == [("packs/aa/1", 10), ("packs/ab/22", 11)]


def test_a_prefix_may_end_within_a_name(bucket: Bucket) -> None:
    for key in ("packs/aa/obj1", "packs/aa/obj1x", "packs/aa/other", "packs/ab/obj1"):
        bucket.put(key, b"")

    found = sorted(info.key for info in bucket.list("packs/aa/obj1"))

    assert found == ["packs/aa/obj1", "packs/aa/obj1x"]


def test_the_empty_prefix_lists_everything(bucket: Bucket) -> None:
    bucket.put("dataver.toml", b"")
    bucket.put("packs/aa/1", b"")

    found = sorted(info.key for info in bucket.list(""))

    assert found == ["dataver.toml", "packs/aa/1"]


def test_a_listing_of_nothing_is_empty(bucket: Bucket) -> None:
    assert list(bucket.list("packs/")) == []


def test_more_keys_than_a_page_holds_are_listed_and_deleted(kind: Kind, bucket: Bucket) -> None:
    if bucket.page_size == 1 or kind.server == "rclone_server":
        pytest.skip("lists without pages")
    keys = [f"packs/{number % 7:02}/{number}" for number in range(1001)]
    for _ in threads_map_ordered(lambda key: bucket.put(key, b""), keys, 8):
        pass

    listed = sorted(info.key for info in bucket.list("packs/"))
    bucket.delete([*keys, "packs/00/none"])

    assert listed == sorted(keys)
    assert list(bucket.list("packs/")) == []


def test_delete_of_nothing_asks_nothing(bucket: Bucket) -> None:
    before = bucket.requests

    bucket.delete([])

    assert bucket.requests == before


def test_delete_passes_over_what_is_not_there(bucket: Bucket) -> None:
    bucket.put("packs/aa/1", b"")
    bucket.put("packs/aa/2", b"")

    bucket.delete(["packs/aa/1", "packs/aa/none", "packs/none/3"])

    assert [info.key for info in bucket.list("packs/")] == ["packs/aa/2"]


def test_requests_and_bytes_are_counted(bucket: Bucket) -> None:
    before = (bucket.sent, bucket.received, bucket.requests)

    bucket.put(KEY, b"12345")
    bucket.get(KEY, 1, 3)

    assert (bucket.sent - before[0], bucket.received - before[1]) == (5, 3)
    assert bucket.requests >= before[2] + 2


@pytest.mark.parametrize("key", ["../outside", "packs/../../outside", "/etc/x", "", "packs//x", "a\\b"])
def test_a_key_that_leads_outside_is_refused(bucket: Bucket, key: str) -> None:
    with pytest.raises(UnsafeError):
        bucket.put(key, b"")


def test_a_probe_finds_out_what_can_be_done(kind: Kind, bucket: Bucket) -> None:
    found = probe(bucket)

    assert (found.can_list, found.can_write, found.can_delete) == (True, True, True)
    assert found.has_create_if_absent == kind.has_create_if_absent


def test_a_probe_leaves_nothing(bucket: Bucket) -> None:
    probe(bucket)

    assert list(bucket.list("")) == []


def test_memory_that_is_used_again_after_a_put_changes_nothing(bucket: Bucket) -> None:
    memory = bytearray(b"first")

    bucket.put("packs/aa/view", memoryview(memory)[:4])
    memory[:] = b"other"

    assert bucket.get("packs/aa/view") == b"firs"
