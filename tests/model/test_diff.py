from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from dataver.model.diff import (
    ADDED,
    DELETED,
    MODIFIED,
    RENAMED,
    RETYPED,
    Change,
    compare,
    counts_by_folder,
    with_renames,
)
from dataver.model.tree import EXECUTABLE, FILE, SYMLINK, Entry
from tests.formats.samples import file
from tests.model.small import small_trees

trees = small_trees()


def applied(old: list[Entry], changes: list[Change]) -> list[Entry]:
    """Give *old* with *changes* (renames allowed) applied."""
    by_path = {entry.path: entry for entry in old}
    for change in changes:
        if change.old is not None:
            by_path.pop(change.old.path, None)
    for change in changes:
        if change.new is not None:
            by_path[change.path] = change.new
    return sorted(by_path.values(), key=lambda entry: entry.path)


@given(trees, trees)
def test_a_diff_applied_to_the_old_tree_gives_the_new_one(old: list[Entry], new: list[Entry]) -> None:
    assert applied(old, list(compare(old, new))) == new


@given(trees, trees)
def test_a_diff_with_renames_gives_the_new_tree_too(old: list[Entry], new: list[Entry]) -> None:
    assert applied(old, with_renames(compare(old, new))) == new


@given(trees)
def test_a_tree_does_not_differ_from_itself(tree: list[Entry]) -> None:
    assert list(compare(tree, tree)) == []


@given(trees, trees)
def test_a_rename_never_changes_content(old: list[Entry], new: list[Entry]) -> None:
    renames = [c for c in with_renames(compare(old, new)) if c.kind == RENAMED]

    assert all(c.old and c.new and c.old.oid == c.new.oid and c.new.size for c in renames)
    assert len({c.old.path for c in renames if c.old}) == len(renames)


@given(trees, trees)
def test_changes_come_in_path_order(old: list[Entry], new: list[Entry]) -> None:
    paths = [change.path for change in with_renames(compare(old, new))]

    assert paths == sorted(paths)


def kinds(old: list[Entry], new: list[Entry]) -> list[tuple[str, bytes]]:
    """Give what changed, in short."""
    return [(change.kind, change.path) for change in with_renames(compare(old, new))]


def test_each_kind_of_change_has_its_word() -> None:
    old = [file(b"a", b"1"), file(b"b", b"1"), file(b"c", b"2"), file(b"d", b"3")]
    new = [file(b"a", b"9"), file(b"b", b"1", EXECUTABLE), file(b"e", b"3"), file(b"f", b"5")]

    assert kinds(old, new) == [
        (MODIFIED, b"a"),
        (RETYPED, b"b"),
        (DELETED, b"c"),
        (RENAMED, b"e"),
        (ADDED, b"f"),
    ]


def test_an_empty_file_is_never_taken_for_renamed() -> None:
    assert kinds([file(b"a", b"")], [file(b"b", b"")]) == [(DELETED, b"a"), (ADDED, b"b")]


def test_a_link_is_never_taken_for_a_renamed_file_of_the_same_text() -> None:
    assert kinds([file(b"a", b"x", SYMLINK)], [file(b"b", b"x")]) == [(DELETED, b"a"), (ADDED, b"b")]


def test_the_same_base_name_is_preferred() -> None:
    old = [file(b"a/one", b"x"), file(b"a/two", b"x")]
    new = [file(b"b/two", b"x")]

    found = with_renames(compare(old, new))

    assert [c.old.path for c in found if c.kind == RENAMED and c.old] == [b"a/two"]


def test_twenty_thousand_copies_of_one_content_are_paired_in_moments() -> None:
    old = [file(b"a/%05d" % n, b"x") for n in range(20_000)]
    new = [file(b"b/%05d" % (n + 7), b"x") for n in range(20_000)]

    began = time.process_time()
    found = with_renames(compare(old, new))

    assert time.process_time() - began < 5
    assert all(change.kind == RENAMED for change in found)


@given(trees, trees, st.data())
def test_the_sums_of_the_top_folder_are_those_of_all_changes(
    old: list[Entry], new: list[Entry], data: st.DataObject
) -> None:
    changes = with_renames(compare(old, new))

    sums = counts_by_folder(changes).get(b"", (0, 0, 0, 0, 0))

    assert sum(sums[:4]) == len(changes)
    assert sums[4] == sum(change.size_change for change in changes)


def test_a_folder_counts_what_lies_below_it() -> None:
    changes = list(compare([], [Entry(b"a/b/c", FILE, None, 3), Entry(b"a/d", FILE, None, 4)]))

    counts = counts_by_folder(changes)

    assert counts[b"a"] == (2, 0, 0, 0, 7)
    assert counts[b"a/b"] == (1, 0, 0, 0, 3)
