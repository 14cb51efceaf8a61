"""A push that was killed, without any chance to clean up: what it stored is not stored again."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.formats import layout
from dataver.formats.commit import Commit, encode_commit
from dataver.formats.journal import COMMIT
from dataver.model.names import ObjectName
from dataver.store.journal import Draft
from dataver.store.memory import MemoryBucket
from dataver.store.remote import Remote, Surroundings
from tests.store.faults import MovedClock
from tests.store.packs import Object, make_pack, names, objects

CONTENTS = objects(10)


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


def opened(bucket: MemoryBucket, folder: Path) -> Remote:
    remote = Remote.create(bucket, around=Surroundings(Disk(), MovedClock(), str(folder)))
    remote.refresh()
    return remote


def killed_push(remote: Remote, contents: list[Object]) -> None:
    """Store *contents* in a pack and do nothing more: no segment, no lease removed."""
    session = remote.begin("clone", "repo")
    data, table = make_pack(contents)
    session.add_pack(data, table, len(data))


def lacking(remote: Remote) -> list[ObjectName]:
    """Return what the next push of the same clone would send of `CONTENTS`."""
    with remote.begin("clone", "repo") as session:
        return session.missing(names(CONTENTS))


def note_in(folder: Path) -> Path:
    (found,) = folder.glob("*/pushed-*")
    return found


def test_a_killed_push_is_taken_over_pack_by_pack(bucket: MemoryBucket, tmp_path: Path) -> None:
    killed_push(opened(bucket, tmp_path), CONTENTS[:6])
    remote = opened(bucket, tmp_path)

    with remote.begin("clone", "repo") as session:
        resumed = session.resumed_objects
        wanted = session.missing(names(CONTENTS))
        session.commit([])

    assert resumed == 6
    assert wanted == names(CONTENTS[6:])
    assert remote.missing(names(CONTENTS[:6])) == []
    assert list(tmp_path.glob("*/push*")) == []


def test_a_pack_that_is_gone_is_not_taken_over(bucket: MemoryBucket, tmp_path: Path) -> None:
    killed_push(opened(bucket, tmp_path), CONTENTS)
    bucket.delete([info.key for info in bucket.list("packs/")])

    assert lacking(opened(bucket, tmp_path)) == names(CONTENTS)


def test_a_pack_that_a_gc_removed_is_not_taken_over_even_while_it_lies_there(
    bucket: MemoryBucket, tmp_path: Path
) -> None:
    killed_push(opened(bucket, tmp_path), CONTENTS)
    (key,) = [info.key for info in bucket.list("packs/")]
    pack_id = layout.pack_id_of_key(key)
    assert pack_id is not None
    draft = Draft(COMMIT, "gc", "1" * 32, "repo", encode_commit(Commit(packs_removed=(pack_id,))))
    with opened(bucket, tmp_path / "gc").begin("gc", "repo") as session:
        session._parts.journal.append(draft, time_s=1_760_000_000, overtaken=lambda _: draft)

    assert lacking(opened(bucket, tmp_path)) == names(CONTENTS)


@pytest.mark.parametrize("at", [0, 8, 16, 24, 60, -1])
def test_a_damaged_note_costs_only_time(bucket: MemoryBucket, tmp_path: Path, at: int) -> None:
    killed_push(opened(bucket, tmp_path), CONTENTS)
    note = note_in(tmp_path)
    data = bytearray(note.read_bytes())
    data[at] ^= 1
    note.write_bytes(data)

    assert lacking(opened(bucket, tmp_path)) == names(CONTENTS)


def test_a_note_under_another_name_is_not_believed(bucket: MemoryBucket, tmp_path: Path) -> None:
    killed_push(opened(bucket, tmp_path), CONTENTS)
    note = note_in(tmp_path)
    note.rename(note.with_name(f"pushed-{'0' * 64}"))

    assert lacking(opened(bucket, tmp_path)) == names(CONTENTS)
