"""Erasure records that come while a push is under way, or after it broke: nothing of before is relied on."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.formats.erasure import DENY, Record, encode_record, encode_signed
from dataver.model.names import ObjectName
from dataver.store.journal import Draft
from dataver.store.memory import MemoryBucket
from dataver.store.push import Overtaken
from dataver.store.remote import Remote
from tests.store.packs import Object, make_pack, names, objects
from tests.store.test_resume import killed_push, opened

CONTENTS = objects(10)


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


def publish(bucket: MemoryBucket, folder: Path) -> None:
    """Let another clone publish a record."""
    body = encode_signed(encode_record(Record(kind=DENY, uid=b"\x1f" * 16, deny=(b"d" * 16,))))
    draft = Draft(DENY, "purge", "1" * 32, "repo", body)
    with opened(bucket, folder).begin("purge", "repo") as session:
        session._parts.journal.append(draft, time_s=1_760_000_000, overtaken=lambda _: draft)


def live(bucket: MemoryBucket, contents: list[Object]) -> list[ObjectName]:
    remote = Remote.open(bucket)
    remote.refresh()
    return sorted(remote.find(names(contents)))


def test_packs_of_a_killed_push_are_not_taken_over(bucket: MemoryBucket, tmp_path: Path) -> None:
    killed_push(opened(bucket, tmp_path / "one"), CONTENTS)
    publish(bucket, tmp_path / "two")

    with opened(bucket, tmp_path / "one").begin("clone", "repo") as session:
        assert session.resumed_objects == 0
        session.commit([])

    assert live(bucket, CONTENTS) == []
    assert list((tmp_path / "one").glob("*/push*")) == []


def test_segments_of_a_broken_push_are_not_taken_over(bucket: MemoryBucket, tmp_path: Path) -> None:
    session = opened(bucket, tmp_path / "one").begin("clone", "repo")
    data, table = make_pack(CONTENTS)
    session.add_pack(data, table, len(data))
    session.missing(names(CONTENTS))  # lists the pack in a segment
    publish(bucket, tmp_path / "two")

    with opened(bucket, tmp_path / "one").begin("clone", "repo") as again:
        assert again.resumed_objects == 0
        again.commit([])

    assert live(bucket, CONTENTS) == []


def test_a_push_that_goes_on_after_a_record_stores_all_of_it_anew(
    bucket: MemoryBucket, tmp_path: Path
) -> None:
    remote = opened(bucket, tmp_path / "one")
    seen: list[Overtaken] = []

    with remote.begin("clone", "repo") as session:
        data, table = make_pack(CONTENTS)
        session.add_pack(data, table, len(data))
        publish(bucket, tmp_path / "two")

        def overtaken(what: Overtaken) -> None:
            seen.append(what)
            assert session.missing(names(CONTENTS)) == names(CONTENTS)
            data, table = make_pack(CONTENTS[:4])
            session.add_pack(data, table, len(data))

        session.commit([], overtaken=overtaken)

    assert [what.has_records for what in seen] == [True]
    assert live(bucket, CONTENTS) == sorted(names(CONTENTS[:4]))
