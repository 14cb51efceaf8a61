"""Lost packs leave the live segments once all that they held lies elsewhere, and never before."""

from __future__ import annotations

import pytest

from dataver.disk.disk import Disk
from dataver.formats import layout
from dataver.formats.commit import decode_commit
from dataver.formats.journal import decode_entry
from dataver.model.names import StructureId, root_name
from dataver.store.memory import MemoryBucket
from dataver.store.push import Push
from dataver.store.remote import Remote, Surroundings
from tests.store.faults import Faulty, MovedClock
from tests.store.packs import Object, make_pack, names, objects

ROOT = root_name(b"r" * 32)


@pytest.fixture
def bucket() -> Faulty:
    return Faulty(MemoryBucket())


def opened(bucket: Faulty) -> Remote:
    remote = Remote.create(bucket, around=Surroundings(Disk(), MovedClock(), None))
    remote.refresh()
    return remote


def add(session: Push, contents: list[Object]) -> StructureId:
    data, table = make_pack(contents)
    session.add_pack(data, table, len(data))
    return table.pack_id


def push(remote: Remote, *packs: list[Object]) -> list[StructureId]:
    with remote.begin("clone", "repo") as session:
        ids = [add(session, contents) for contents in packs]
        session.commit((ROOT[2:],))
    return ids


def lose(bucket: Faulty, *packs: StructureId) -> Remote:
    """Delete packs, and return the remote as a clone sees it that has noticed that."""
    bucket.inner.delete([layout.pack_key(pack) for pack in packs])
    remote = opened(bucket)
    remote.lost_packs()
    return remote


def removed_by(bucket: Faulty, seq: int) -> tuple[StructureId, ...]:
    return decode_commit(decode_entry(bucket.inner.get(layout.journal_key(seq)), seq).body).packs_removed


def test_a_pack_whose_objects_were_sent_again_is_named_as_removed(bucket: Faulty) -> None:
    contents = objects(20)
    (pack,) = push(opened(bucket), contents)

    push(lose(bucket, pack), contents)

    assert removed_by(bucket, 2) == (pack,)
    assert opened(bucket).lost_packs() == set()
    assert opened(bucket).missing(names(contents)) == []


def test_what_lay_in_other_packs_of_the_segment_stays(bucket: Faulty) -> None:
    kept, lost = objects(20, "kept"), objects(20, "lost")
    _, pack = push(opened(bucket), kept, lost)

    push(lose(bucket, pack), lost)

    assert opened(bucket).missing(names([*kept, *lost])) == []


def test_a_root_is_complete_again(bucket: Faulty) -> None:
    contents = [*objects(20), (ROOT, b"root")]
    (pack,) = push(opened(bucket), contents)

    push(lose(bucket, pack), contents)

    assert opened(bucket).complete_roots([ROOT]) == {ROOT}


def test_a_pack_of_which_anything_is_nowhere_else_stays_listed(bucket: Faulty) -> None:
    contents = objects(20)
    (pack,) = push(opened(bucket), contents)

    push(lose(bucket, pack), contents[:-1])

    assert removed_by(bucket, 2) == ()
    assert opened(bucket).lost_packs() == {pack}


def test_a_pack_that_is_there_again_stays_listed(bucket: Faulty) -> None:
    contents = objects(20)
    (pack,) = push(opened(bucket), contents)
    data = bucket.inner.get(layout.pack_key(pack))
    remote = lose(bucket, pack)
    bucket.inner.put(layout.pack_key(pack), data)

    push(remote, contents)

    assert removed_by(bucket, 2) == ()


def test_a_push_deletes_nothing(bucket: Faulty) -> None:
    contents = objects(20)
    (pack,) = push(opened(bucket), contents)
    data = bucket.inner.get(layout.pack_key(pack))
    bucket.inner.put(layout.pack_key(pack), data[:-1])
    remote = opened(bucket)
    remote.lost_packs()

    push(remote, contents)

    assert removed_by(bucket, 2) == (pack,)
    assert bucket.inner.get(layout.pack_key(pack)) == data[:-1]


def test_a_push_that_lost_a_race_leaves_segments_that_others_changed(bucket: Faulty) -> None:
    contents = objects(20)
    (pack,) = push(opened(bucket), contents)
    mine, theirs = lose(bucket, pack), lose(bucket, pack)
    with mine.begin("mine", "repo") as session:
        add(session, contents)
        push(theirs, contents)

        session.commit((ROOT[2:],), overtaken=lambda what: None)

    assert (removed_by(bucket, 2), removed_by(bucket, 3)) == ((pack,), ())
    assert opened(bucket).missing(names(contents)) == []
    assert opened(bucket).lost_packs() == set()
