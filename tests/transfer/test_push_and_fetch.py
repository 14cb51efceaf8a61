"""What is pushed arrives: byte for byte, once, and no more of it than is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.model.names import blob_name
from dataver.store.memory import MemoryBucket
from dataver.transfer.send import send
from tests.transfer.workbench import WRITER, Clone, new_clone, new_remote, noise, oid_of

SMALL = {b"d%d/f%03d" % (n % 7, n): noise(n, 3000) for n in range(300)}
MIXED = {**SMALL, b"empty": b"", b"text": b"abc" * 9000, b"loose.bin": noise(1000, 90_000)}


@pytest.fixture
def here(tmp_path: Path) -> Clone:
    return new_clone(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Clone:
    return new_clone(tmp_path / "there")


@pytest.fixture
def bucket() -> MemoryBucket:
    return new_remote()


def test_a_pushed_version_is_fetched_byte_for_byte(here: Clone, there: Clone, bucket: MemoryBucket) -> None:
    version = here.commit(MIXED)
    here.push(bucket, version)

    there.fetch(bucket, version)

    assert there.files(version) == MIXED


def test_a_push_counts_what_it_sent(here: Clone, bucket: MemoryBucket) -> None:
    version = here.commit(MIXED)

    done = here.push(bucket, version)

    assert (done.files, done.size, done.packs, done.failed) == (303, sum(map(len, MIXED.values())), 2, [])
    assert done.objects == 303 + 2


def test_a_second_push_sends_nothing(here: Clone, bucket: MemoryBucket) -> None:
    version = here.commit(MIXED)
    here.push(bucket, version)
    before = bucket.sent

    done = here.push(bucket, version)

    assert (done.objects, done.seq, bucket.sent) == (0, 0, before)


def test_a_second_fetch_reads_nothing(here: Clone, there: Clone, bucket: MemoryBucket) -> None:
    version = here.commit(MIXED)
    here.push(bucket, version)
    there.fetch(bucket, version)

    done = there.fetch(bucket, version)

    assert (done.files, done.objects, done.packs) == (303, 0, 0)


def test_a_large_file_arrives_as_it_was(here: Clone, there: Clone, bucket: MemoryBucket) -> None:
    version = here.commit({b"model.bin": noise(5, 20 << 20), b"small": b"x"})
    here.push(bucket, version)

    there.fetch(bucket, version)

    assert there.files(version)[b"model.bin"] == noise(5, 20 << 20)


def test_a_changed_megabyte_of_a_large_file_sends_few_chunks(here: Clone, bucket: MemoryBucket) -> None:
    data = noise(6, 40 << 20)
    here.push(bucket, here.commit({b"model.bin": data}))
    changed = data[: 20 << 20] + noise(7, 1 << 20) + data[21 << 20 :]

    done = here.push(bucket, here.commit({b"model.bin": changed}))

    assert 0 < done.sent <= 8 << 20


def test_a_changed_megabyte_of_a_large_file_is_fetched_in_few_chunks(
    here: Clone, there: Clone, bucket: MemoryBucket
) -> None:
    data = noise(6, 40 << 20)
    old = here.commit({b"model.bin": data})
    here.push(bucket, old)
    changed = data[: 20 << 20] + noise(7, 1 << 20) + data[21 << 20 :]
    new = here.commit({b"model.bin": changed})
    here.push(bucket, new)
    there.fetch(bucket, old)
    before = bucket.received

    there.fetch(bucket, new)

    assert there.files(new) == {b"model.bin": changed}
    assert bucket.received - before <= 8 << 20


def test_chunks_that_are_there_count_as_present(here: Clone, bucket: MemoryBucket) -> None:
    data = noise(6, 20 << 20)
    here.push(bucket, here.commit({b"model.bin": data}))

    done = here.push(bucket, here.commit({b"model.bin": data + b"more"}))

    assert done.new < 5 << 20
    assert done.size == (20 << 20) + 4


def test_an_unchanged_leaf_is_not_asked_for_again(here: Clone, bucket: MemoryBucket) -> None:
    many = {b"%05d" % n: b"%d" % n for n in range(5000)}
    here.push(bucket, here.commit(many))

    done = here.push(bucket, here.commit({**many, b"02500": b"changed"}))

    assert done.objects == 3


def test_a_dry_run_counts_what_a_push_sends(here: Clone, bucket: MemoryBucket) -> None:
    version = here.commit({**MIXED, b"model.bin": noise(5, 12 << 20)})
    plan = here.push(bucket, version, dry_run=True)
    before = len(bucket.get("dataver.toml")), bucket.sent

    done = here.push(bucket, version)

    assert (plan.objects, plan.packs, plan.sent, plan.seq) == (done.objects, done.packs, done.sent, 0)
    assert bucket.sent > before[1]


def test_denied_content_is_left_out_and_said(here: Clone, there: Clone, bucket: MemoryBucket) -> None:
    version = here.commit(SMALL)
    denied = oid_of(SMALL[b"d0/f007"])
    ends = here.ends(bucket, denies=lambda path, oid: "E-1f3a9c2e" if oid == denied else "")

    done = send(ends, [version], WRITER)

    assert [(w.path, w.code) for w in done.warnings] == [(b"data/d0/f007", "erased")]
    remote = there.ends(bucket).remote
    assert remote.missing([blob_name(denied)]) == [blob_name(denied)]
    rest = [blob_name(oid_of(data)) for path, data in SMALL.items() if path != b"d0/f007"]
    assert remote.missing(rest) == []
