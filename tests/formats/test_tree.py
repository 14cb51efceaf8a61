from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dataver.errors import DataverError, FormatError, HostileInputError, UnsupportedError
from dataver.formats.keys import Secret
from dataver.formats.redaction import NOTHING_ERASED, Erased, redact
from dataver.formats.root import decode_root, encode_root
from dataver.formats.tree import (
    Leaf,
    Substitute,
    build_leaf,
    check_entries,
    decode_leaf,
    encode_leaf,
    substitute_commitment,
)
from dataver.hashing import BLAKE3
from dataver.model.names import Oid
from dataver.model.tree import EMPTY_FOLDER, FILE, SYMLINK, Entry, LeafRef
from tests.formats.samples import ENTRIES, SECRET, file, leaf_of, loaded, redacted_leaf, replaced_leaf
from tests.formats.strategies import trees


def erased_of(leaf: Leaf, data: st.DataObject) -> Erased:
    """Draw which entries of *leaf* are erased."""
    return Erased(frozenset(data.draw(st.sets(st.sampled_from(leaf.commitments)))), {})


# -- leaves ---------------------------------------------------------------------------------------


@given(trees())
def test_a_leaf_comes_back_as_it_was(entries: list[Entry]) -> None:
    leaf_id, data = leaf_of(entries)

    leaf = decode_leaf(data, leaf_id, len(entries))

    assert leaf.view == entries
    assert encode_leaf(leaf) == data


@given(trees())
def test_the_same_folder_has_the_same_id_in_two_clones(entries: list[Entry]) -> None:
    one, other = Secret(bytes(range(32))), Secret(bytes(range(32)))

    assert leaf_of(entries, one) == leaf_of(list(entries), other)


def test_without_the_secret_the_id_cannot_be_guessed_from_the_folder() -> None:
    assert leaf_of(ENTRIES, SECRET)[0] != leaf_of(ENTRIES, Secret(bytes(32)))[0]


@given(trees(), st.data())
def test_a_changed_byte_of_a_leaf_is_always_refused(entries: list[Entry], data: st.DataObject) -> None:
    leaf_id, stored = leaf_of(entries)
    bad = bytearray(stored)
    place = data.draw(st.integers(0, len(bad) - 1))
    bad[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(DataverError):
        decode_leaf(bytes(bad), leaf_id)


@given(trees(), st.data())
def test_a_changed_byte_of_a_redacted_leaf_never_passes(entries: list[Entry], data: st.DataObject) -> None:
    whole = loaded(entries)
    erased = Erased(frozenset(data.draw(st.sets(st.sampled_from(whole.commitments), min_size=1))), {})
    bad = bytearray(encode_leaf(redact(whole, erased)))
    place = data.draw(st.integers(0, len(bad) - 1))
    bad[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(DataverError):
        redact(decode_leaf(bytes(bad), whole.leaf_id), erased)


def test_a_leaf_under_another_count_than_the_root_says_is_refused() -> None:
    leaf_id, data = leaf_of(ENTRIES)

    with pytest.raises(FormatError, match="the root says"):
        decode_leaf(data, leaf_id, len(ENTRIES) - 1)


def test_a_leaf_with_random_key_is_another_id_of_the_same_entries() -> None:
    leaf_id, data = build_leaf(ENTRIES, lambda encoded: b"r" * 32)

    assert leaf_id != leaf_of(ENTRIES)[0]
    assert decode_leaf(data, leaf_id).view == list(ENTRIES)


@pytest.mark.parametrize("head", [b"\x94\x02\x00", b"\x95\x01\x02", b"\x94\x07\x01"])
def test_a_later_leaf_asks_for_an_upgrade(head: bytes) -> None:
    leaf_id, data = leaf_of(ENTRIES)

    with pytest.raises(UnsupportedError):
        decode_leaf(head + data[3:], leaf_id)


def test_an_unknown_key_of_an_entry_asks_for_an_upgrade() -> None:
    leaf_id, data = build_leaf([Entry(b"a", FILE, ENTRIES[0].oid, 1, {"lineage": "b"})], lambda e: bytes(32))

    with pytest.raises(UnsupportedError):
        decode_leaf(data, leaf_id)


def test_an_empty_map_of_extra_keys_is_not_the_one_valid_encoding() -> None:
    leaf_id, data = build_leaf([file(b"a", b"1")], lambda e: bytes(32))
    bad = data.replace(b"\x94\xc4\x01a", b"\x95\xc4\x01a") + b"\x80"

    with pytest.raises(FormatError):
        decode_leaf(bad, leaf_id)


# -- redaction ------------------------------------------------------------------------------------


@given(trees(), st.data())
def test_a_leaf_redacted_of_any_subset_keeps_its_id_and_verifies(
    entries: list[Entry], data: st.DataObject
) -> None:
    whole = loaded(entries)
    erased = erased_of(whole, data)

    stored = encode_leaf(redact(whole, erased))

    found = redact(decode_leaf(stored, whole.leaf_id, len(entries)), erased)
    assert found.view == [
        e for e, c in zip(whole.entries, whole.commitments, strict=True) if c not in erased.entries
    ]


@given(trees(), st.data())
def test_redactions_commute(entries: list[Entry], data: st.DataObject) -> None:
    whole = loaded(entries)
    one, other = erased_of(whole, data), erased_of(whole, data)
    both = Erased(one.entries | other.entries, {})

    results = {
        encode_leaf(redact(redact(whole, one), both)),
        encode_leaf(redact(redact(whole, other), both)),
        encode_leaf(redact(whole, both)),
    }

    assert len(results) == 1


@given(trees(), st.data())
def test_a_stub_that_no_record_names_is_damage(entries: list[Entry], data: st.DataObject) -> None:
    whole = loaded(entries)
    gone = data.draw(st.sampled_from(whole.commitments))
    redacted = redact(whole, Erased(frozenset((gone,)), {}))

    with pytest.raises(FormatError, match="no record"):
        redact(redacted, NOTHING_ERASED)


@given(trees().filter(lambda entries: len(entries) > 1), st.data())
def test_a_survivor_that_was_dropped_never_passes(entries: list[Entry], data: st.DataObject) -> None:
    whole = loaded(entries)
    redacted = redact(whole, Erased(frozenset((whole.commitments[-1],)), {}))
    place = data.draw(st.integers(0, len(redacted.entries) - 1))
    dropped = redacted._replace(
        entries=[e for n, e in enumerate(redacted.entries) if n != place],
        salts=[s for n, s in enumerate(redacted.salts) if n != place],
    )

    with pytest.raises(FormatError):
        decode_leaf(encode_leaf(dropped), whole.leaf_id)


def test_a_survivor_that_was_added_never_passes() -> None:
    redacted = redacted_leaf()
    added = redacted._replace(
        entries=[*redacted.entries, file(b"zzz", b"z")], salts=[*redacted.salts, bytes(16)]
    )

    with pytest.raises(FormatError):
        decode_leaf(encode_leaf(added), redacted.leaf_id)


def test_a_survivor_with_another_content_never_passes() -> None:
    redacted = redacted_leaf()
    changed = redacted._replace(entries=[file(b"a.txt", b"ALPHA\n"), *redacted.entries[1:]])

    with pytest.raises(FormatError):
        decode_leaf(encode_leaf(changed), redacted.leaf_id)


def test_a_survivor_turned_into_a_stub_is_damage() -> None:
    redacted = redacted_leaf()
    recorded = Erased(frozenset(redacted.erased), {})
    hidden = redact(redacted, Erased(recorded.entries | {redacted.commitments[0]}, {}))

    with pytest.raises(FormatError, match="no record"):
        redact(decode_leaf(encode_leaf(hidden), redacted.leaf_id), recorded)


def test_a_redacted_leaf_holds_no_key_and_nothing_of_what_is_gone() -> None:
    whole, stored = loaded(ENTRIES), encode_leaf(redacted_leaf())

    assert whole.key not in stored
    assert b"bin/run" not in stored
    assert bytes(ENTRIES[1].oid or b"") not in stored


def test_a_leaf_of_which_all_is_erased_still_verifies() -> None:
    whole = loaded(ENTRIES)
    erased = Erased(frozenset(whole.commitments), {})

    found = decode_leaf(encode_leaf(redact(whole, erased)), whole.leaf_id, len(ENTRIES))

    assert found.view == []


def test_a_leaf_that_nothing_names_is_left_as_it_is() -> None:
    whole = loaded(ENTRIES)

    assert redact(whole, Erased(frozenset((bytes(32),)), {})) is whole


def test_a_stub_that_a_push_told_of_is_no_damage() -> None:
    redacted = redacted_leaf()

    assert redact(redacted, Erased(frozenset(), {}, frozenset(redacted.erased))) is redacted


def test_what_a_push_told_of_takes_nothing_from_an_intact_copy() -> None:
    whole = loaded(ENTRIES)

    assert redact(whole, Erased(frozenset(), {}, frozenset(whole.commitments))) is whole


# -- substitutes ----------------------------------------------------------------------------------


def test_a_substitute_stands_in_the_view_for_what_it_replaces() -> None:
    replaced = replaced_leaf()

    assert [e.path for e in replaced.view] == [e.path for e in ENTRIES[1:]]
    assert file(b"old.csv", b"2\n") in replaced.view


def test_a_substitute_survives_storing() -> None:
    replaced = replaced_leaf()

    assert decode_leaf(encode_leaf(replaced), replaced.leaf_id) == replaced


def test_a_substitute_that_no_record_names_is_damage() -> None:
    replaced = replaced_leaf()

    with pytest.raises(FormatError, match="replaced"):
        redact(replaced, Erased(frozenset(replaced.erased), {}))


def test_a_substitute_with_other_content_than_the_record_says_is_damage() -> None:
    replaced = replaced_leaf()
    one = replaced.substitutes[0]
    recorded = Erased(frozenset(replaced.erased), {one.commitment: substitute_commitment(one)})
    forged = replaced._replace(substitutes=(one._replace(entry=file(b"old.csv", b"evil")),))

    with pytest.raises(FormatError, match="replaced"):
        redact(decode_leaf(encode_leaf(forged), replaced.leaf_id), recorded)


def test_an_erased_substitute_becomes_a_stub() -> None:
    replaced = replaced_leaf()
    one = replaced.substitutes[0]
    own = substitute_commitment(one)

    for entry in (one.commitment, own):
        found = redact(replaced, Erased(frozenset((*replaced.erased, entry)), {one.commitment: own}))
        assert found.substitutes == ()
        assert one.commitment in found.erased


def test_rows_erased_twice_leave_the_last_substitute_whatever_copy_is_read() -> None:
    whole = loaded(ENTRIES)
    original = whole.commitments[6]
    first = Substitute(original, b"1" * 16, file(b"old.csv", b"2\n"))
    second = Substitute(original, b"2" * 16, file(b"old.csv", b"\n"))
    once = Erased(frozenset(), {original: substitute_commitment(first)})
    twice = Erased(
        frozenset(), {**once.substitutes, substitute_commitment(first): substitute_commitment(second)}
    )

    from_old_copy = redact(redact(whole, once, [first]), twice, [second])
    from_intact = redact(whole, twice, [second, first])

    assert from_old_copy == from_intact
    assert file(b"old.csv", b"\n") in from_intact.view


def test_an_entry_whose_substitute_is_unknown_is_not_shown() -> None:
    whole = loaded(ENTRIES)

    found = redact(whole, Erased(frozenset(), {whole.commitments[6]: bytes(32)}))

    assert b"old.csv" not in [e.path for e in found.view]


# -- the one validator ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entries",
    [
        [file(b"b", b""), file(b"a", b"")],
        [file(b"a", b""), file(b"a", b"")],
        [file(b"a", b""), file(b"a-b", b""), file(b"a/b", b"")],
        [file(b"../a", b"")],
        [file(b"/a", b"")],
        [file(b".git/config", b"")],
        [Entry(b"a", EMPTY_FOLDER, None, 1)],
        [Entry(b"a", EMPTY_FOLDER, ENTRIES[0].oid, 0)],
        [Entry(b"a", FILE, None, 0)],
        [Entry(b"a", FILE, ENTRIES[0].oid, -1)],
        [Entry(b"a", FILE, ENTRIES[0].oid, 1 << 63)],
        [Entry(b"a", SYMLINK, ENTRIES[0].oid, 4097)],
    ],
)
def test_entries_that_no_tree_may_hold_are_refused(entries: list[Entry]) -> None:
    with pytest.raises(HostileInputError):
        check_entries(entries)


@pytest.mark.parametrize(
    "entry",
    [
        Entry(b"a", 4, ENTRIES[0].oid, 0),
        Entry(b"a", FILE, Oid(b"\x09" + bytes(32)), 0),
        Entry(b"a", FILE, Oid(bytes((BLAKE3,)) + bytes(31)), 0),
    ],
)
def test_entries_of_a_later_release_ask_for_an_upgrade(entry: Entry) -> None:
    with pytest.raises(UnsupportedError):
        check_entries([entry])


def test_a_leaf_on_disk_passes_the_same_validator() -> None:
    leaf_id, data = build_leaf([file(b"a/../b", b"")], lambda encoded: bytes(32))

    with pytest.raises(HostileInputError):
        decode_leaf(data, leaf_id)


# -- roots ----------------------------------------------------------------------------------------

roots = st.lists(
    st.tuples(st.binary(min_size=32, max_size=32), st.integers(1, 16_384)).map(lambda r: LeafRef(*r)),
    max_size=6,
)


@given(roots, st.data())
@example([], None)
def test_a_root_comes_back_as_it_was(refs: list[LeafRef], data: st.DataObject | None) -> None:
    guide = sorted(data.draw(st.binary(max_size=5)) for _ in refs) if data else []

    root_id, stored = encode_root(refs, guide)

    root = decode_root(stored, root_id)
    assert (root.leaves, root.guide) == (tuple(refs), tuple(guide))


@given(roots.filter(bool), st.data())
def test_a_changed_byte_of_a_root_never_changes_its_leaves(refs: list[LeafRef], data: st.DataObject) -> None:
    root_id, stored = encode_root(refs, [b""] * len(refs))
    bad = bytearray(stored)
    place = data.draw(st.integers(0, len(bad) - 1))
    bad[place] ^= data.draw(st.integers(1, 255))

    try:
        found = decode_root(bytes(bad), root_id)
    except DataverError:
        return
    assert found.leaves == tuple(refs)


def test_the_guide_is_no_part_of_the_id() -> None:
    refs = [LeafRef(bytes(32), 1), LeafRef(b"\x01" * 32, 1)]

    assert encode_root(refs, [b"", b"m"])[0] == encode_root(refs, [])[0]


@pytest.mark.parametrize("guide", [[b"only one"], [b"b", b"a"]])
def test_a_guide_that_cannot_be_right_is_dropped(guide: list[bytes]) -> None:
    root_id, stored = encode_root([LeafRef(bytes(32), 1), LeafRef(b"\x01" * 32, 1)], guide)

    assert decode_root(stored, root_id).guide == ()


def test_a_root_with_a_leaf_of_no_entries_is_refused() -> None:
    root_id, stored = encode_root([LeafRef(bytes(32), 0)], [])

    with pytest.raises(FormatError):
        decode_root(stored, root_id)


def test_a_later_root_asks_for_an_upgrade() -> None:
    root_id, stored = encode_root([], [])

    with pytest.raises(UnsupportedError):
        decode_root(stored[:6] + b"\x00\x02" + stored[8:], root_id)
