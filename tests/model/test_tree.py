from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dataver.model.tree import (
    MAX_LEAF_ENTRIES,
    MAX_LEAF_SIZE,
    Entry,
    LeafRef,
    Root,
    after_folder,
    cut,
    is_boundary,
    separator,
)
from tests.formats.samples import file

MANY = [file(b"%06d" % n, b"x") for n in range(40_000)]


def test_cutting_loses_and_reorders_nothing() -> None:
    assert [entry for leaf in cut(MANY) for entry in leaf] == MANY


def test_leaves_start_at_boundaries_alone() -> None:
    leaves = list(cut(MANY))

    assert len(leaves) > 10
    assert all(is_boundary(leaf[0].path) for leaf in leaves[1:])
    assert not any(is_boundary(entry.path) for leaf in leaves for entry in leaf[1:])


def test_a_change_in_one_leaf_leaves_the_others_as_they_were() -> None:
    before = [tuple(leaf) for leaf in cut(MANY)]
    after = [tuple(leaf) for leaf in cut([*MANY[:20_000], file(b"020000!", b"new"), *MANY[20_000:]])]

    assert len(set(after) - set(before)) <= 2


def test_a_leaf_without_boundaries_ends_at_its_most_entries() -> None:
    dull = [entry for entry in MANY if not is_boundary(entry.path)]

    sizes = [len(leaf) for leaf in cut(dull)]

    assert max(sizes) == MAX_LEAF_ENTRIES


def test_a_leaf_of_long_paths_ends_before_its_most_bytes() -> None:
    long = [file(b"%06d/" % n + b"x" * 240 + b"/" + b"y" * 240, b"") for n in range(20_000)]

    for leaf in cut(entry for entry in long if not is_boundary(entry.path)):
        assert sum(len(entry.path) for entry in leaf) <= MAX_LEAF_SIZE


@given(st.binary(max_size=6), st.binary(min_size=1, max_size=6))
def test_a_separator_parts_two_leaves(last: bytes, first: bytes) -> None:
    if last >= first:
        return

    found = separator(last, first)

    assert last < found <= first
    assert first.startswith(found)


@given(st.binary(min_size=1, max_size=4), st.binary(min_size=1, max_size=4))
def test_all_that_lies_below_a_folder_is_below_its_end(folder: bytes, name: bytes) -> None:
    assert folder + b"/" <= folder + b"/" + name < after_folder(folder)


def test_a_root_counts_all_entries() -> None:
    assert Root(bytes(32), (LeafRef(bytes(32), 3), LeafRef(bytes(32), 4)), ()).count == 7


def test_an_entry_is_as_small_as_a_tuple() -> None:
    assert Entry(b"a", 0, None, 0) == (b"a", 0, None, 0, None)
