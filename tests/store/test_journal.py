"""The journal: reading in few requests, appending against others, and noticing what contradicts itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from dataver.disk.disk import Disk
from dataver.errors import (
    AccessDeniedError,
    DataverError,
    FormatError,
    OfflineError,
    RemoteStateError,
    UnsupportedError,
)
from dataver.formats import journal as journal_format
from dataver.formats import layout
from dataver.formats.commit import Commit, decode_commit, encode_commit
from dataver.formats.journal import COMMIT, Entry
from dataver.formats.state import Seen, encode_state, state_after, state_hash
from dataver.store.journal import Draft, Journal
from dataver.store.journal_steps import newest_number, path_back
from dataver.store.local import LocalCopies
from dataver.store.memory import MemoryBucket
from tests.store import samples
from tests.store.faults import Faulty, MovedClock, once

REMOTE = samples.REMOTE_ID
Entries = Sequence[tuple[Entry, Commit | None]]


@pytest.fixture
def bucket() -> Faulty:
    return Faulty(MemoryBucket())


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


def journal_of(
    bucket: Faulty,
    *,
    seen: Seen | None = None,
    local: LocalCopies | None = None,
    clock: MovedClock | None = None,
) -> Journal:
    local = local or LocalCopies(None, Disk())
    return Journal(bucket, REMOTE, seen=seen, local=local, clock=clock or MovedClock())


def draft(number: int, *, kind: str = COMMIT, body: bytes | None = None) -> Draft:
    commit = encode_commit(Commit(roots=(samples.id_of(number),)))
    return Draft(kind, "writer", f"{number:032x}", "repo", commit if body is None else body)


def append(journal: Journal, number: int, **changes: object) -> Entry:
    made = draft(number, **changes)  # type: ignore[arg-type]
    return journal.append(made, time_s=1_760_000_000 + number, overtaken=lambda _: made)


def filled(bucket: Faulty, count: int) -> Journal:
    """Return a journal of *count* entries that wrote them all."""
    journal = journal_of(bucket)
    journal.refresh()
    for number in range(1, count + 1):
        append(journal, number)
    return journal


def rewrite(bucket: Faulty, seq: int, **changes: object) -> None:
    """Put another entry under *seq*."""
    entry = journal_format.decode_entry(bucket.inner.get(layout.journal_key(seq)), seq)
    changed = replace(entry, **changes)  # type: ignore[arg-type]
    bucket.inner.put(layout.journal_key(seq), journal_format.encode_entry(changed))


# -- reading ------------------------------------------------------------------------------------


def test_an_empty_journal_is_read_as_empty(bucket: Faulty) -> None:
    journal = journal_of(bucket)

    assert journal.refresh() is False
    assert journal.seen.seq == 0
    assert journal.state.segments == frozenset()


def test_nothing_new_is_one_get(bucket: Faulty) -> None:
    writer = filled(bucket, 5)
    local = LocalCopies(None, Disk())
    reader = journal_of(bucket, local=local)
    reader.refresh()
    bucket.log.clear()

    is_new = reader.refresh()

    assert is_new is False
    assert bucket.log == [("get", layout.journal_key(6))]
    assert reader.seen == writer.seen


def test_nothing_new_is_one_get_for_the_next_process_too(bucket: Faulty) -> None:
    local = LocalCopies(None, Disk())
    first = filled(bucket, 70)
    reader = journal_of(bucket, local=local)
    reader.refresh()
    bucket.log.clear()

    later = journal_of(bucket, seen=reader.seen, local=local)
    is_new = later.refresh()

    assert is_new is False
    assert len(bucket.log) == 1
    assert later.state == first.state


def test_a_clone_whose_copies_are_lost_reads_the_same_state(bucket: Faulty) -> None:
    writer = filled(bucket, 70)

    reader = journal_of(bucket, seen=writer.seen)
    reader.refresh()

    assert (reader.seen, reader.state) == (writer.seen, writer.state)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 63, 64, 65, 127, 128, 130, 200])
def test_a_fresh_clone_reads_what_the_writer_wrote(bucket: Faulty, count: int) -> None:
    writer = filled(bucket, count)

    with_hint = journal_of(bucket)
    with_hint.refresh()
    bucket.inner.delete([layout.HINT_KEY])
    without_hint = journal_of(bucket)
    without_hint.refresh()

    assert with_hint.seen == without_hint.seen == writer.seen
    assert with_hint.state == without_hint.state == writer.state


@pytest.mark.parametrize("hint", [b"1", b"64", b"65", b"199", b"201", b"9999999999999999", b"nonsense", b"0"])
def test_a_wrong_hint_costs_requests_only(bucket: Faulty, hint: bytes) -> None:
    writer = filled(bucket, 200)
    bucket.inner.put(layout.HINT_KEY, hint)

    reader = journal_of(bucket)
    reader.refresh()

    assert reader.seen == writer.seen


@pytest.mark.parametrize("seen_at", [1, 60, 64, 100, 127, 128, 150, 199])
def test_a_late_clone_verifies_the_chain_back_to_what_it_saw(bucket: Faulty, seen_at: int) -> None:
    early = filled(bucket, seen_at)
    seen = early.seen
    for number in range(seen_at + 1, 201):
        append(early, number)

    reader = journal_of(bucket, seen=seen)

    assert reader.refresh() is True
    assert reader.state == early.state


def build(bucket: Faulty, count: int, *, start_s: int = 1_760_000_000) -> list[bytes]:
    """Write *count* entries without a journal's care, and return their hashes."""
    journal = journal_of(bucket)
    state = journal.state
    found = [journal_format.first_prev(REMOTE)]
    for seq in range(1, count + 1):
        body = encode_commit(Commit(roots=(samples.id_of(seq % 100),)))
        skips = tuple(journal_format.Skip(back, found[seq - back]) for back in journal_format.skips_back(seq))
        entry = Entry(
            seq, found[-1], start_s + seq, "w", f"{seq:032x}", "r", COMMIT, bytes(32), skips, body,
            journal_format.body_hash(body),
        )  # fmt: skip
        state = state_after(state, entry, decode_commit(body))
        encoded = encode_state(state)
        entry = replace(entry, state=state_hash(encoded))
        if entry.is_checkpoint:
            bucket.inner.put(layout.state_key(entry.state), encoded)
        data = journal_format.encode_entry(entry)
        bucket.inner.put(layout.journal_key(seq), data)
        found.append(journal_format.entry_hash(data))
    return found


def test_5000_entries_are_read_by_a_late_clone_in_few_requests(bucket: Faulty) -> None:
    hashes = build(bucket, 5000)
    bucket.inner.put(layout.HINT_KEY, b"4900")

    fresh = journal_of(bucket)
    fresh.refresh()
    fresh_requests = bucket.requests
    late = journal_of(bucket, seen=Seen(70, hashes[70]))
    late.refresh()
    late_requests = bucket.requests - fresh_requests

    assert fresh.seen == late.seen == (5000, hashes[5000])
    assert fresh_requests <= 40
    assert late_requests <= 120


@pytest.mark.parametrize("known", [1, 63, 64, 70, 4095, 4097, 54_321, 98_303])
@pytest.mark.parametrize("newest", [99_999, 100_000])
def test_of_100_000_entries_a_late_clone_looks_at_fewer_than_200(known: int, newest: int) -> None:
    asked: set[int] = set()

    def stands(seq: int) -> bool:
        asked.add(seq)
        return seq <= newest

    assert newest_number(stands, known, hint=0) == newest
    checkpoint = newest - newest % journal_format.STRIDE
    asked.update(path_back(checkpoint, known), range(checkpoint, newest + 1))

    # One more is the state at the checkpoint.
    assert len(asked) + 1 < 200


@pytest.mark.scale
def test_100_000_entries_are_read_by_a_late_clone_in_fewer_than_200_requests(bucket: Faulty) -> None:
    hashes = build(bucket, 100_000)

    late = journal_of(bucket, seen=Seen(70, hashes[70]))
    late.refresh()

    assert late.seen == (100_000, hashes[100_000])
    assert bucket.requests < 200


def test_without_a_hint_the_newest_of_5000_is_found_by_gallop_and_bisection(bucket: Faulty) -> None:
    hashes = build(bucket, 5000)

    reader = journal_of(bucket)
    reader.refresh()

    assert reader.seen == (5000, hashes[5000])
    assert bucket.requests <= 60


# -- what contradicts itself ----------------------------------------------------------------------


def test_a_rolled_back_journal_is_noticed_before_anything_is_written(bucket: Faulty) -> None:
    writer = filled(bucket, 5)
    bucket.inner.delete([layout.journal_key(5)])

    with pytest.raises(RemoteStateError, match="rolled back"):
        writer.refresh(thoroughly=True)


def test_a_rolled_back_journal_is_noticed_within_the_hour(bucket: Faulty, clock: MovedClock) -> None:
    filled(bucket, 5)
    reader = journal_of(bucket, clock=clock)
    reader.refresh()
    bucket.inner.delete([layout.journal_key(4), layout.journal_key(5)])

    clock.now += 3601

    with pytest.raises(RemoteStateError, match="rolled back"):
        reader.refresh()


def test_a_clone_without_copies_notices_a_rollback_at_once(bucket: Faulty) -> None:
    seen = filled(bucket, 5).seen
    bucket.inner.delete([layout.journal_key(5)])

    with pytest.raises(RemoteStateError, match="rolled back"):
        journal_of(bucket, seen=seen).refresh()


def test_a_journal_that_was_rolled_back_and_went_on_is_a_fork(bucket: Faulty) -> None:
    local = LocalCopies(None, Disk())
    filled(bucket, 5)
    reader = journal_of(bucket, local=local)
    reader.refresh()
    bucket.inner.delete([layout.journal_key(4), layout.journal_key(5)])
    other = journal_of(bucket)
    other.refresh()
    for number in (104, 105, 106):
        append(other, number)

    with pytest.raises(RemoteStateError, match="forked"):
        reader.refresh()


def test_a_fork_far_back_is_noticed_by_the_skips(bucket: Faulty) -> None:
    seen = Seen(70, build(bucket, 70)[70])
    other = Faulty(MemoryBucket())
    build(other, 300, start_s=1_770_000_000)
    other.inner.put(layout.journal_key(70), bucket.inner.get(layout.journal_key(70)))

    with pytest.raises(RemoteStateError, match="forked"):
        journal_of(other, seen=seen).refresh()


def test_a_gap_is_noticed(bucket: Faulty) -> None:
    filled(bucket, 10)
    bucket.inner.delete([layout.journal_key(7)])

    with pytest.raises(RemoteStateError, match="7 is missing"):
        journal_of(bucket).refresh()


def test_a_journal_of_another_remote_is_refused(bucket: Faulty) -> None:
    filled(bucket, 3)
    other = Journal(bucket, "f" * 32, seen=None, local=LocalCopies(None, Disk()), clock=MovedClock())

    with pytest.raises(RemoteStateError):
        other.refresh()


@pytest.mark.parametrize("seq", [1, 4, 5])
def test_an_altered_entry_is_noticed(bucket: Faulty, seq: int) -> None:
    filled(bucket, 5)
    rewrite(bucket, seq, writer="somebody-else", state=samples.id_of(1))

    with pytest.raises(RemoteStateError):
        journal_of(bucket).refresh()


def test_a_write_id_that_occurs_twice_is_refused(bucket: Faulty) -> None:
    journal = filled(bucket, 2)
    append(journal, 2)

    with pytest.raises(RemoteStateError, match="repeats"):
        journal_of(bucket).refresh()


def test_an_entry_that_is_dated_before_the_one_it_follows_is_refused(bucket: Faulty) -> None:
    filled(bucket, 3)
    rewrite(bucket, 3, time_s=1_760_000_001)

    with pytest.raises(RemoteStateError, match="dated"):
        journal_of(bucket).refresh()


def test_a_state_that_does_not_follow_from_the_entries_is_refused(bucket: Faulty) -> None:
    filled(bucket, 3)
    rewrite(bucket, 3, state=samples.id_of(1))

    with pytest.raises(RemoteStateError, match="state"):
        journal_of(bucket).refresh()


def test_a_checkpoint_whose_state_is_gone_or_altered_is_refused(bucket: Faulty) -> None:
    filled(bucket, 66)
    (key,) = bucket.keys("states/")
    bucket.altered = lambda found, data: data[:-1] if found == key else data

    with pytest.raises(FormatError):
        journal_of(bucket).refresh()
    bucket.inner.delete([key])
    with pytest.raises(RemoteStateError):
        journal_of(bucket).refresh()


def test_every_flipped_bit_of_an_entry_is_noticed(bucket: Faulty) -> None:
    filled(bucket, 2)
    size = len(bucket.inner.get(layout.journal_key(2)))
    noticed = 0

    for at in range(size):
        bucket.altered = (
            lambda key, data, at=at: (  # type: ignore[misc]
                data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :] if key == layout.journal_key(2) else data
            )
        )
        try:
            journal_of(bucket).refresh()
        except DataverError:
            noticed += 1

    # The last entry has none after it that names its hash: what no other field contradicts passes,
    # such as its time.  The next entry, or a clone that saw it before, tells.
    last = json.loads(bucket.inner.get(layout.journal_key(2)))
    free = len(last["write"]) + len(last["writer"]) + len("repo") + len(str(last["time"]))
    assert noticed >= size - free


def test_a_truncated_entry_is_noticed(bucket: Faulty) -> None:
    filled(bucket, 2)
    bucket.altered = lambda key, data: data[:-1] if key == layout.journal_key(2) else data

    with pytest.raises(FormatError):
        journal_of(bucket).refresh()


def test_an_unknown_kind_is_refused_and_nothing_is_taken_from_it(bucket: Faulty) -> None:
    writer = filled(bucket, 2)
    fields = json.loads(bucket.inner.get(layout.journal_key(2))) | {"seq": 3, "kind": "merge"}
    bucket.inner.put(
        layout.journal_key(3), json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    )
    seen = writer.seen

    with pytest.raises(UnsupportedError):
        writer.refresh()
    assert writer.seen == seen


def test_an_oversized_entry_is_refused_and_not_read_whole(bucket: Faulty) -> None:
    filled(bucket, 2)
    bucket.inner.put(layout.journal_key(3), b" " * 10_000_000)

    with pytest.raises(FormatError):
        journal_of(bucket).refresh()


def test_what_failed_once_is_read_anew(bucket: Faulty) -> None:
    filled(bucket, 5)
    bucket.altered = lambda key, data: data[:-1] if key == layout.journal_key(5) else data
    reader = journal_of(bucket)
    with pytest.raises(FormatError):
        reader.refresh()
    bucket.altered = lambda key, data: data

    assert reader.refresh() is True


def test_no_permission_is_never_nothing_new(bucket: Faulty) -> None:
    writer = filled(bucket, 2)

    def denied(operation: str, key: str) -> None:
        raise AccessDeniedError("read", key)

    bucket.before = denied

    with pytest.raises(AccessDeniedError):
        writer.refresh()
    with pytest.raises(AccessDeniedError):
        journal_of(bucket).refresh()


def test_a_failed_first_contact_leaves_what_was_seen(bucket: Faulty) -> None:
    seen = filled(bucket, 2).seen
    bucket.before = once("get", "", times=99)
    journal = journal_of(bucket, seen=seen)

    with pytest.raises(OfflineError):
        journal.refresh()
    assert journal.seen == seen


# -- appending --------------------------------------------------------------------------------------


def test_two_writers_both_succeed_and_the_loser_hears_of_the_winner(bucket: Faulty) -> None:
    first, second = journal_of(bucket), journal_of(bucket)
    first.refresh()
    second.refresh()
    append(first, 1)
    heard: list[Entry] = []

    def overtaken(entries: Entries) -> Draft:
        heard.extend(entry for entry, _ in entries)
        return draft(2)

    entry = second.append(draft(2), time_s=1, overtaken=overtaken)

    assert entry.seq == 2
    assert [e.write_id for e in heard] == [f"{1:032x}"]
    first.refresh()
    assert first.seen == second.seen


def test_a_put_whose_answer_is_lost_is_settled_by_reading_its_number(bucket: Faulty) -> None:
    journal = filled(bucket, 1)
    bucket.after = once("put_new", "journal/")

    entry = append(journal, 2)

    assert entry.seq == 2
    assert bucket.keys("journal/0") == [layout.journal_key(1), layout.journal_key(2)]


def test_a_put_that_never_arrived_is_made_again(bucket: Faulty) -> None:
    journal = filled(bucket, 1)
    bucket.before = once("put_new", "journal/", times=3)

    entry = append(journal, 2)

    assert entry.seq == 2


def test_a_lost_answer_where_somebody_else_won_is_a_lost_race(bucket: Faulty) -> None:
    journal, other = journal_of(bucket), journal_of(bucket)
    journal.refresh()
    other.refresh()
    lost = once("put_new", "journal/")

    def fault(operation: str, key: str) -> None:
        if operation == "put_new" and other.seen.seq == 0:
            bucket.before = lambda *_: None
            append(other, 7)
            lost(operation, key)

    bucket.before = fault

    entry = append(journal, 2)

    assert entry.seq == 2


def test_a_remote_that_stays_silent_ends_in_offline(bucket: Faulty, clock: MovedClock) -> None:
    filled(bucket, 1)
    journal = journal_of(bucket, clock=clock)
    journal.refresh()
    bucket.before = once("put_new", "journal/", times=10**6)

    with pytest.raises(OfflineError):
        append(journal, 2)
    assert 60 < clock.slept < 600


def test_after_three_losses_a_writer_waits(bucket: Faulty, clock: MovedClock) -> None:
    other = journal_of(bucket)
    other.refresh()
    journal = journal_of(bucket, clock=clock)
    journal.refresh()
    wins = [0]

    def fault(operation: str, key: str) -> None:
        if operation == "put_new" and wins[0] < 5:
            wins[0] += 1
            bucket.before = lambda *_: None
            other.refresh()
            append(other, 100 + wins[0])
            bucket.before = fault

    bucket.before = fault

    entry = append(journal, 1)

    assert entry.seq == 6
    assert clock.slept > 0


def test_the_state_is_stored_before_the_64th_entry_and_only_then(bucket: Faulty) -> None:
    journal = filled(bucket, 63)
    assert bucket.keys("states/") == []
    bucket.log.clear()

    entry = append(journal, 64)

    written = [key for operation, key in bucket.log if operation in ("put", "put_new")]
    assert written == [layout.state_key(entry.state), layout.journal_key(64), layout.HINT_KEY]


def test_a_long_body_is_stored_before_its_entry_and_read_back(bucket: Faulty) -> None:
    journal = journal_of(bucket)
    journal.refresh()
    roots = tuple(samples.id_of(number) for number in range(2000))
    body = encode_commit(Commit(roots=roots))

    append(journal, 1, body=body)

    order = [key.partition("/")[0] for operation, key in bucket.log if operation.startswith("put")]
    assert order == ["records", "journal", "journal"]
    reader = journal_of(bucket)
    reader.refresh()
    assert set(reader.state.roots) == set(roots)


def test_a_failed_hint_is_no_failure(bucket: Faulty) -> None:
    journal = filled(bucket, 1)
    bucket.before = once("put", layout.HINT_KEY)

    assert append(journal, 2).seq == 2


def test_a_body_that_no_reader_would_take_is_not_written(bucket: Faulty) -> None:
    journal = journal_of(bucket)
    journal.refresh()

    with pytest.raises(FormatError):
        append(journal, 1, body=b'{ "roots": [] }')
    assert bucket.keys("journal/") == []


# -- erasure records --------------------------------------------------------------------------------


def test_records_come_in_order_whatever_checkpoint_lies_between(bucket: Faulty) -> None:
    journal = filled(bucket, 3)
    append(journal, 4, kind="signers", body=b'{"n":1}')
    append(journal, 5, kind="deny", body=b'{"n":2}')
    for number in range(6, 140):
        append(journal, number)
    append(journal, 140, kind="lift", body=b'{"n":3}')

    reader = journal_of(bucket)
    reader.refresh()
    found = reader.records()

    assert [(r.seq, r.kind, r.body) for r in found] == [
        (4, "signers", b'{"n":1}'),
        (5, "deny", b'{"n":2}'),
        (140, "lift", b'{"n":3}'),
    ]


def test_a_record_that_was_altered_behind_a_checkpoint_is_refused(bucket: Faulty) -> None:
    journal = journal_of(bucket)
    journal.refresh()
    append(journal, 1, kind="deny", body=b'{"n":1}')
    for number in range(2, 70):
        append(journal, number)
    reader = journal_of(bucket)
    reader.refresh()

    rewrite(bucket, 1, kind="lift")

    with pytest.raises(RemoteStateError):
        reader.records()


def test_damaged_copies_of_records_are_read_anew(bucket: Faulty) -> None:
    journal = journal_of(bucket)
    journal.refresh()
    append(journal, 1, kind="deny", body=b'{"n":1}')
    for number in range(2, 70):
        append(journal, number)
    local = LocalCopies(None, Disk())
    local.write("record-1", [b"damaged"])
    reader = journal_of(bucket, local=local)
    reader.refresh()

    assert [r.body for r in reader.records()] == [b'{"n":1}']
