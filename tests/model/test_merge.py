from __future__ import annotations

from hypothesis import given

from dataver.model.merge import (
    BOTH_ADDED,
    BOTH_MODIFIED,
    DELETED_MODIFIED,
    FOLDER_AND_FILE,
    MODIFIED_DELETED,
    RENAMED_APART,
    Merge,
    merge,
    merged_entries,
)
from dataver.model.names import check_order
from dataver.model.tree import EMPTY_FOLDER, EXECUTABLE, SYMLINK, Entry
from tests.formats.samples import file
from tests.model.small import small_trees

trees = small_trees()
Tree = list[Entry]


def result(base: Tree, ours: Tree, theirs: Tree) -> tuple[Tree, list[tuple[str, bytes]]]:
    """Give the merged tree and its conflicts in short."""
    merged = merge(base, ours, theirs)
    return list(merged_entries(ours, merged)), [(c.kind, c.path) for c in merged.conflicts]


# -- what holds for all trees -----------------------------------------------------------------


@given(trees, trees)
def test_what_only_we_changed_is_ours(base: Tree, ours: Tree) -> None:
    assert result(base, ours, base) == (ours, [])


@given(trees, trees)
def test_what_only_they_changed_is_theirs(base: Tree, theirs: Tree) -> None:
    assert result(base, base, theirs) == (theirs, [])


@given(trees, trees)
def test_the_same_change_on_both_sides_is_no_conflict(base: Tree, both: Tree) -> None:
    assert result(base, both, both) == (both, [])


@given(trees, trees, trees)
def test_a_merge_without_conflict_is_the_same_from_both_sides(base: Tree, ours: Tree, theirs: Tree) -> None:
    mine, conflicts = result(base, ours, theirs)
    other, other_conflicts = result(base, theirs, ours)

    assert {path for _, path in conflicts} == set() or other_conflicts
    if not conflicts and not other_conflicts:
        assert mine == other


@given(trees, trees, trees)
def test_a_merged_tree_is_a_tree(base: Tree, ours: Tree, theirs: Tree) -> None:
    entries, _ = result(base, ours, theirs)

    check_order([entry.path for entry in entries])


@given(trees, trees, trees)
def test_no_content_is_lost_without_a_conflict(base: Tree, ours: Tree, theirs: Tree) -> None:
    entries, conflicts = result(base, ours, theirs)
    known = {entry.oid for entry in base}
    new = {entry.oid for entry in (*ours, *theirs) if entry.oid} - known

    assert conflicts or new <= {entry.oid for entry in entries}


@given(trees, trees, trees)
def test_applying_a_merge_twice_changes_nothing_more(base: Tree, ours: Tree, theirs: Tree) -> None:
    merged = merge(base, ours, theirs)
    once = list(merged_entries(ours, merged))

    assert list(merged_entries(once, merged)) == once


@given(trees, trees, trees)
def test_every_change_changes_something_of_ours(base: Tree, ours: Tree, theirs: Tree) -> None:
    merged = merge(base, ours, theirs)
    by_path = {entry.path: entry for entry in ours}

    assert all(by_path.get(path) != entry for path, entry in merged.changes)


# -- single cases -----------------------------------------------------------------------------


def test_changes_of_different_files_go_together() -> None:
    base = [file(b"a", b"1"), file(b"b", b"1")]

    assert result(
        base, [file(b"a", b"2"), file(b"b", b"1")], [file(b"a", b"1"), file(b"b", b"3"), file(b"c", b"")]
    ) == (
        [file(b"a", b"2"), file(b"b", b"3"), file(b"c", b"")],
        [],
    )


def test_two_contents_added_at_one_path_are_a_conflict_and_ours_stands() -> None:
    assert result([], [file(b"a", b"1")], [file(b"a", b"2")]) == ([file(b"a", b"1")], [(BOTH_ADDED, b"a")])


def test_two_modifications_of_one_file_are_a_conflict() -> None:
    base = [file(b"a", b"0")]

    assert result(base, [file(b"a", b"1")], [file(b"a", b"2")]) == (
        [file(b"a", b"1")],
        [(BOTH_MODIFIED, b"a")],
    )


def test_a_modification_against_a_deletion_is_a_conflict() -> None:
    base = [file(b"a", b"0")]

    assert result(base, [file(b"a", b"1")], []) == ([file(b"a", b"1")], [(MODIFIED_DELETED, b"a")])


def test_a_deletion_against_a_modification_is_a_conflict() -> None:
    base = [file(b"a", b"0")]

    assert result(base, [], [file(b"a", b"1")]) == ([], [(DELETED_MODIFIED, b"a")])


def test_both_deleting_is_no_conflict() -> None:
    assert result([file(b"a", b"0")], [], []) == ([], [])


def test_the_executable_bit_and_the_content_go_together() -> None:
    base = [file(b"a", b"0")]

    assert result(base, [file(b"a", b"0", EXECUTABLE)], [file(b"a", b"1")]) == (
        [file(b"a", b"1", EXECUTABLE)],
        [],
    )


def test_the_same_file_added_with_and_without_the_executable_bit_is_executable() -> None:
    assert result([], [file(b"a", b"1")], [file(b"a", b"1", EXECUTABLE)]) == (
        [file(b"a", b"1", EXECUTABLE)],
        [],
    )


def test_a_file_that_became_a_link_on_one_side_and_changed_on_the_other_is_a_conflict() -> None:
    base = [file(b"a", b"0")]

    assert result(base, [file(b"a", b"x", SYMLINK)], [file(b"a", b"1")])[1] == [(BOTH_MODIFIED, b"a")]


def test_their_change_follows_our_renaming() -> None:
    base = [file(b"old", b"0")]

    assert result(base, [file(b"new", b"0")], [file(b"old", b"1")]) == ([file(b"new", b"1")], [])


def test_our_change_follows_their_renaming() -> None:
    base = [file(b"old", b"0")]

    assert result(base, [file(b"old", b"1")], [file(b"new", b"0")]) == ([file(b"new", b"1")], [])


def test_a_file_renamed_to_one_name_by_both_is_no_conflict() -> None:
    base = [file(b"old", b"0")]

    assert result(base, [file(b"new", b"0")], [file(b"new", b"0")]) == ([file(b"new", b"0")], [])


def test_a_file_renamed_to_two_names_keeps_both_and_is_a_conflict() -> None:
    base = [file(b"old", b"0")]

    assert result(base, [file(b"one", b"0")], [file(b"two", b"0")]) == (
        [file(b"one", b"0"), file(b"two", b"0")],
        [(RENAMED_APART, b"one")],
    )


def test_what_we_renamed_and_they_deleted_is_a_conflict_and_stays() -> None:
    base = [file(b"old", b"0")]

    assert result(base, [file(b"new", b"0")], []) == ([file(b"new", b"0")], [(MODIFIED_DELETED, b"new")])


def test_what_they_renamed_and_we_deleted_is_a_conflict_and_stays_away() -> None:
    base = [file(b"old", b"0")]

    assert result(base, [], [file(b"new", b"0")]) == ([], [(DELETED_MODIFIED, b"new")])


def test_a_file_of_ours_where_they_made_a_folder_is_a_conflict() -> None:
    ours, theirs = [file(b"a", b"1")], [file(b"a/b", b"2")]

    assert result([], ours, theirs) == (ours, [(FOLDER_AND_FILE, b"a/b")])


def test_a_folder_of_ours_where_they_made_a_file_is_a_conflict() -> None:
    ours, theirs = [file(b"a/b", b"2")], [file(b"a", b"1")]

    assert result([], ours, theirs) == (ours, [(FOLDER_AND_FILE, b"a")])


def test_an_empty_folder_gives_way_to_what_is_put_into_it() -> None:
    empty = Entry(b"a", EMPTY_FOLDER, None, 0)

    assert result([], [empty], [file(b"a/b", b"1")]) == ([file(b"a/b", b"1")], [])
    assert result([], [file(b"a/b", b"1")], [empty]) == ([file(b"a/b", b"1")], [])


def test_a_merge_costs_what_changed() -> None:
    base = [file(b"%04d" % n, b"x") for n in range(1000)]

    merged = merge(base, base, [*base, file(b"zz", b"new")])

    assert merged == Merge(((b"zz", file(b"zz", b"new")),), ())
