"""Journal entries, states and the texts of a remote as bytes: one valid encoding, nothing else passes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.errors import DataverError, FormatError, UnsupportedError
from dataver.formats import journal, layout, state
from dataver.formats.commit import Commit, decode_commit, encode_commit
from dataver.formats.journal import Entry, Skip
from dataver.formats.layout import Description
from dataver.formats.segment import PackRef, SegmentRef
from dataver.formats.state import NamedRoot, Seen, State
from dataver.model.names import StructureId
from tests.store import samples

hashes = st.binary(min_size=32, max_size=32).map(StructureId)
ids = st.lists(hashes, unique=True, max_size=5).map(lambda found: tuple(sorted(found)))
counts = st.integers(0, 2**40)
names = st.from_regex(r"[0-9a-z][0-9a-z._-]{0,20}", fullmatch=True)


def refs(kind: type[SegmentRef] | type[PackRef], fields: int) -> st.SearchStrategy[tuple[object, ...]]:
    return st.dictionaries(hashes, st.tuples(*[counts] * fields), max_size=4).map(
        lambda found: tuple(kind(key, *found[key]) for key in sorted(found))
    )


commits = st.builds(
    Commit,
    roots=ids,
    segments_added=refs(SegmentRef, 2),
    segments_removed=ids,
    packs_added=refs(PackRef, 1),
    packs_removed=ids,
    redacted=st.dictionaries(hashes, ids, max_size=2).map(lambda found: tuple(sorted(found.items()))),
)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    seq = draw(st.one_of(st.integers(1, 10**9), st.integers(1, 300).map(lambda n: n * 64)))
    body = encode_commit(draw(commits))
    return Entry(
        seq=seq,
        prev=draw(hashes),
        time_s=draw(st.integers(0, 2**39)),
        writer=draw(names),
        write_id=draw(st.from_regex("[0-9a-f]{32}", fullmatch=True)),
        repo_id=draw(names),
        kind="commit",
        state=draw(hashes),
        skips=tuple(Skip(back, draw(hashes)) for back in journal.skips_back(seq)),
        body=body,
        body_hash=journal.body_hash(body),
    )


@given(entries())
def test_an_entry_reads_as_it_was_written(entry: Entry) -> None:
    data = journal.encode_entry(entry)

    found = journal.decode_entry(data, entry.seq)

    assert found == entry
    assert journal.encode_entry(found) == data


@given(commits)
def test_a_commit_reads_as_it_was_written(commit: Commit) -> None:
    assert decode_commit(encode_commit(commit)) == commit


def test_a_commit_that_changes_nothing_is_an_empty_object() -> None:
    assert encode_commit(Commit()) == b"{}"
    with pytest.raises(FormatError):
        decode_commit(b'{"packs":{}}')


@given(entries(), st.data())
def test_a_flipped_bit_is_refused_or_changes_the_hash(entry: Entry, choice: st.DataObject) -> None:
    data = journal.encode_entry(entry)
    flipped = bytearray(data)
    flipped[choice.draw(st.integers(0, len(data) - 1))] ^= 1 << choice.draw(st.integers(0, 7))

    try:
        found = journal.decode_entry(bytes(flipped), entry.seq)
    except DataverError:
        return

    assert journal.encode_entry(found) == bytes(flipped)
    assert journal.entry_hash(flipped) != journal.entry_hash(data)


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(DataverError):
        journal.decode_entry(data, 1)


def _wire(**changes: object) -> bytes:
    fields = json.loads(journal.encode_entry(samples.erasure_entry())) | changes
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 2},
        {"prev": "00"},
        {"prev": "A" * 64},
        {"state": "g" * 64},
        {"write": "short"},
        {"time": -1},
        {"time": 1.5},
        {"writer": "../x"},
        {"repo": ""},
        {"skips": [[64, "0" * 64]]},
        {"skips": []},
        {"more": 1},
        {"body": []},
        {"body": "zz"},
        {"body": None},
    ],
)
def test_an_entry_of_another_form_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        journal.decode_entry(_wire(**changes), 1)


@pytest.mark.parametrize("changes", [{"kind": "rewrite"}, {"version": 2}])
def test_an_unknown_kind_or_version_asks_for_an_upgrade(changes: dict[str, object]) -> None:
    with pytest.raises(UnsupportedError) as caught:
        journal.decode_entry(_wire(**changes), 1)

    assert "upgrade" in caught.value.hint


def test_another_spelling_of_the_same_entry_is_refused() -> None:
    fields = json.loads(journal.encode_entry(samples.erasure_entry()))
    spaced = json.dumps(fields, sort_keys=True).encode()
    unsorted_keys = json.dumps(dict(reversed(fields.items())), separators=(",", ":")).encode()

    for data in (spaced, unsorted_keys):
        with pytest.raises(FormatError):
            journal.decode_entry(data, 1)


def test_an_entry_above_its_limit_is_refused_unread() -> None:
    with pytest.raises(FormatError):
        journal.decode_entry(_wire(writer="w" * journal.MAX_ENTRY_SIZE), 1)


def test_a_long_body_lies_outside_and_a_short_one_never_does() -> None:
    body = b'{"x":"' + b"a" * journal.MAX_INLINE_BODY + b'"}'
    entry = replace(samples.erasure_entry(), body=b"", body_hash=journal.body_hash(body))

    found = journal.decode_entry(journal.encode_entry(entry), 1)

    assert journal.check_outside_body(found, body) == body
    short = b'{"x":1}'
    named = replace(entry, body_hash=journal.body_hash(short))
    with pytest.raises(FormatError):
        journal.check_outside_body(named, short)
    with pytest.raises(FormatError):
        journal.decode_entry(_wire(body={"x": "a" * journal.MAX_INLINE_BODY}), 1)


@pytest.mark.parametrize(
    ("seq", "expected"),
    [(1, ()), (7, ()), (8, ()), (16, (8,)), (64, (8,)), (128, (8, 64)), (1536, (8, 64, 512))],
)
def test_skips_go_back_by_powers_of_8(seq: int, expected: tuple[int, ...]) -> None:
    assert journal.skips_back(seq) == expected


@given(
    st.builds(
        State,
        segments=refs(SegmentRef, 2).map(frozenset),
        roots=st.dictionaries(hashes, st.builds(NamedRoot, counts, names), max_size=4),
        repos=st.frozensets(names, max_size=3),
        told=st.frozensets(hashes, max_size=3),
    )
)
def test_a_state_reads_as_it_was_written(made: State) -> None:
    data = state.encode_state(made)

    assert state.decode_state(data, state.state_hash(data)) == made


def test_a_state_under_another_hash_is_refused() -> None:
    data = state.encode_state(samples.state())

    with pytest.raises(FormatError):
        state.decode_state(data, samples.id_of(1))


def test_a_checkpoint_forgets_roots_that_nobody_named_for_long() -> None:
    entry = replace(samples.entry(), time_s=1_750_000_000 + state.ROOTS_KEPT_S + 1)

    after = state.state_after(samples.state(), entry, Commit())
    between = state.state_after(samples.state(), replace(entry, seq=127), Commit())

    assert set(after.roots) == {samples.id_of(21)}
    assert set(between.roots) == {samples.id_of(20), samples.id_of(21)}


def test_removed_segments_leave_the_state_and_records_stay() -> None:
    commit = Commit(
        segments_removed=(samples.id_of(30),), segments_added=(SegmentRef(samples.id_of(33), 1, 1),)
    )

    after = state.state_after(samples.state(), samples.entry(), commit)

    assert {ref.segment_id for ref in after.segments} == {samples.id_of(31), samples.id_of(33)}
    assert (after.records, after.signers) == (samples.state().records, samples.state().signers)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"version = 1\n",
        b"x" * 5000,
        layout.encode_description(Description("0" * 32, False)) + b"more = 1\n",
        layout.encode_description(Description("0" * 32, False)).replace(b"\n", b"\r\n"),
    ],
)
def test_a_description_of_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        layout.decode_description(data)


def test_a_later_description_asks_for_an_upgrade() -> None:
    description = layout.encode_description(Description("0" * 32, False)).replace(b"n = 1", b"n = 2")

    with pytest.raises(UnsupportedError):
        layout.decode_description(description)


@pytest.mark.parametrize("data", [b"", b"-1", b"1e9", b"9" * 17, b" 5", "٣".encode()])
def test_a_hint_that_is_no_number_is_none(data: bytes) -> None:
    assert layout.decode_hint(data) == 0


@given(hashes)
def test_ids_and_keys_of_packs_and_segments_are_one_to_one(found: StructureId) -> None:
    assert layout.pack_id_of_key(layout.pack_key(found)) == found
    assert layout.segment_id_of_key(layout.segment_key(found)) == found
    assert layout.pack_id_of_key(layout.pack_key(found) + "x") is None


@pytest.mark.parametrize("text", ["", "../x", "a/b", "A", "x" * 65, ".x"])
def test_an_id_that_could_leave_its_folder_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        layout.lease_key(text)


def test_what_was_seen_of_another_remote_is_refused() -> None:
    data = state.encode_seen(samples.REMOTE_ID, Seen(3, samples.id_of(1)))

    assert state.decode_seen(data, samples.REMOTE_ID) == (3, samples.id_of(1))
    with pytest.raises(FormatError):
        state.decode_seen(data, "f" * 32)
