"""What becomes of conflicts once somebody chose a side: against dicts, and case by case."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from dataver.model.diff import compare
from dataver.model.merge import FOLDER_AND_FILE, RENAMED_APART, Conflict, merge, merge_changes, merged_entries
from dataver.model.names import check_order
from dataver.model.settle import OURS, THEIRS, UNION, Settlement, settle, theirs_name
from dataver.model.tree import EMPTY_FOLDER, EXECUTABLE, Entry
from tests.formats.samples import file
from tests.model.small import small_trees

trees = small_trees()
Tree = list[Entry]
sides = st.sampled_from((OURS, THEIRS, UNION))


def is_taken(tree: Tree, path: bytes) -> bool:
    return any(entry.path == path or entry.path.startswith(path + b"/") for entry in tree)


def settled(base: Tree, ours: Tree, theirs: Tree, side: str) -> Settlement:
    """Merge and take *side* wherever both changed a path."""
    changes = list(compare(base, ours))
    merged = merge_changes(changes, compare(base, theirs))
    decided = {conflict.path: side for conflict in merged.conflicts}
    return settle(merged, changes, decided, lambda path: is_taken(ours, path))


def result(base: Tree, ours: Tree, theirs: Tree, side: str) -> Tree:
    """Give the tree that is left when every conflict was settled."""
    done = settled(base, ours, theirs, side)
    assert done.conflicts == ()
    return list(merged_entries(ours, merge([], [], [])._replace(changes=done.changes)))


def by_dict(base: Tree, ours: Tree, theirs: Tree, side: str) -> Tree:
    """Merge path by path as three dicts, for trees of files at paths that never clash."""
    old, mine, other = ({e.path: e for e in tree} for tree in (base, ours, theirs))
    found = []
    for path in sorted({*old, *mine, *other}):
        was, here, there = old.get(path), mine.get(path), other.get(path)
        entry = there if here == was or (there != was and side == THEIRS) else here
        found += [entry] if entry is not None else []
    return found


def flat_trees(prefix: bytes) -> st.SearchStrategy[Tree]:
    """Trees of files without folders; *prefix* keeps contents apart, so that nothing looks renamed."""
    paths = st.sets(st.sampled_from((b"a", b"b", b"c", b"d", b"e")))
    return paths.flatmap(
        lambda chosen: st.tuples(*(st.sampled_from((b"1", b"2")) for _ in chosen)).map(
            lambda contents: [
                file(path, prefix + path + content)
                for path, content in zip(sorted(chosen), contents, strict=True)
            ]
        )
    )


# -- what holds for all trees -----------------------------------------------------------------


@given(flat_trees(b""), flat_trees(b""), flat_trees(b""), st.sampled_from((OURS, THEIRS)))
def test_a_merge_of_files_is_that_of_three_dicts(base: Tree, ours: Tree, theirs: Tree, side: str) -> None:
    assert result(base, ours, theirs, side) == by_dict(base, ours, theirs, side)


@given(trees, trees, trees, sides)
def test_a_settled_tree_is_a_tree(base: Tree, ours: Tree, theirs: Tree, side: str) -> None:
    check_order([entry.path for entry in result(base, ours, theirs, side)])


@given(trees, trees, trees)
def test_theirs_for_one_is_ours_for_the_other(base: Tree, ours: Tree, theirs: Tree) -> None:
    both = (*merge(base, ours, theirs).conflicts, *merge(base, theirs, ours).conflicts)
    # Where a folder meets a file, each side may free the name by another one of its renamings.
    assume(all(conflict.kind != FOLDER_AND_FILE for conflict in both))

    mine, other = result(base, ours, theirs, THEIRS), result(base, theirs, ours, OURS)
    # An empty folder gave way to a file in it, which goes: nobody brings the folder back.
    assert [e for e in mine if e.kind != EMPTY_FOLDER] == [e for e in other if e.kind != EMPTY_FOLDER]


@given(trees, trees, trees)
def test_a_union_loses_no_new_content(base: Tree, ours: Tree, theirs: Tree) -> None:
    new = {entry.oid for entry in (*ours, *theirs) if entry.oid} - {entry.oid for entry in base}

    assert new <= {entry.oid for entry in result(base, ours, theirs, UNION)}


@given(trees, trees, sides)
def test_without_a_conflict_no_side_matters(base: Tree, ours: Tree, side: str) -> None:
    assert result(base, ours, base, side) == ours
    assert result(base, base, ours, side) == ours


@given(trees, trees, trees)
def test_what_nobody_decides_stays_in_conflict_and_ours(base: Tree, ours: Tree, theirs: Tree) -> None:
    changes = list(compare(base, ours))
    merged = merge_changes(changes, compare(base, theirs))

    done = settle(merged, changes, {}, lambda path: is_taken(ours, path))

    assert (done.changes, done.conflicts, done.beside) == (merged.changes, merged.conflicts, ())


# -- single cases -----------------------------------------------------------------------------


def test_theirs_replaces_ours() -> None:
    assert result([], [file(b"a", b"1")], [file(b"a", b"2")], THEIRS) == [file(b"a", b"2")]


def test_theirs_can_be_a_deletion() -> None:
    assert result([file(b"a", b"0")], [file(b"a", b"1")], [], THEIRS) == []


def test_a_union_puts_theirs_beside_ours() -> None:
    done = settled([], [file(b"d/train.csv", b"1")], [file(b"d/train.csv", b"2")], UNION)

    assert done.beside == ((b"d/train.csv", b"d/train.theirs.csv"),)
    assert done.changes == ((b"d/train.theirs.csv", file(b"d/train.theirs.csv", b"2")),)


def test_a_union_takes_no_name_that_is_in_use() -> None:
    ours = [file(b"a", b"1"), file(b"a.theirs", b"x"), file(b"a.theirs-2/y", b"y")]

    assert settled([], ours, [file(b"a", b"2")], UNION).beside == ((b"a", b"a.theirs-3"),)


def test_a_union_keeps_what_was_edited_and_not_that_it_was_deleted() -> None:
    base, edited = [file(b"a", b"0")], [file(b"a", b"1")]

    assert result(base, edited, [], UNION) == edited
    assert result(base, [], edited, UNION) == edited


def test_a_union_keeps_the_executable_bit_of_each() -> None:
    ours, theirs = [file(b"a", b"1")], [file(b"a", b"2", EXECUTABLE)]

    assert result([], ours, theirs, UNION) == [file(b"a", b"1"), file(b"a.theirs", b"2", EXECUTABLE)]


def test_theirs_as_a_file_takes_the_place_of_our_folder() -> None:
    assert result([], [file(b"a/b", b"1"), file(b"a/c", b"2")], [file(b"a", b"3")], THEIRS) == [
        file(b"a", b"3")
    ]


def test_theirs_as_a_folder_takes_the_place_of_our_file() -> None:
    theirs = [file(b"a/b", b"1"), file(b"a/c", b"2")]

    assert result([], [file(b"a", b"3")], theirs, THEIRS) == theirs


def test_a_union_of_a_file_and_a_folder_keeps_the_folder_together() -> None:
    theirs = [file(b"a/b", b"1"), file(b"a/c", b"2")]

    assert [e.path for e in result([], [file(b"a", b"3")], theirs, UNION)] == [
        b"a",
        b"a.theirs/b",
        b"a.theirs/c",
    ]


def test_of_two_names_given_to_one_file_a_side_keeps_its_own() -> None:
    base, ours, theirs = [file(b"old", b"0")], [file(b"one", b"0")], [file(b"two", b"0")]

    assert result(base, ours, theirs, OURS) == ours
    assert result(base, ours, theirs, THEIRS) == theirs
    assert result(base, ours, theirs, UNION) == [*ours, *theirs]


def test_a_name_that_another_file_got_too_is_left_to_that_conflict() -> None:
    base = [file(b"a/x", b"1")]
    ours, theirs = [file(b"a", b"1")], [file(b"a", b"2"), file(b"a-b", b"1")]

    assert result(base, ours, theirs, THEIRS) == result(base, theirs, ours, OURS) == theirs


def test_a_union_keeps_their_change_of_a_file_that_is_a_folder_of_ours() -> None:
    base, ours, theirs = [file(b"b", b"0")], [file(b"b/x", b"1")], [file(b"b", b"2")]

    assert result(base, ours, theirs, UNION) == [file(b"b.theirs", b"2"), file(b"b/x", b"1")]


def test_theirs_takes_a_renaming_with_it_that_our_file_was_in_the_way_of() -> None:
    base = [file(b"a", b"0")]
    ours, theirs = [file(b"a", b"1"), file(b"b", b"2")], [file(b"b/x", b"0")]

    assert result(base, ours, theirs, THEIRS) == result(base, theirs, ours, OURS) == [file(b"b/x", b"1")]


def test_an_empty_folder_of_theirs_gives_way_to_our_files_in_it() -> None:
    base, ours, theirs = [file(b"a", b"")], [file(b"a/x", b"1")], [Entry(b"a", EMPTY_FOLDER, None, 0)]

    assert result(base, ours, theirs, THEIRS) == ours


def test_each_path_can_be_decided_by_itself() -> None:
    ours, theirs = [file(b"a", b"1"), file(b"b", b"1")], [file(b"a", b"2"), file(b"b", b"2")]
    changes = list(compare([], ours))
    merged = merge([], ours, theirs)

    done = settle(merged, changes, {b"a": THEIRS}, lambda path: is_taken(ours, path))

    assert done.changes == ((b"a", file(b"a", b"2")),)
    assert [conflict.path for conflict in done.conflicts] == [b"b"]


def test_a_name_for_theirs_keeps_the_ending_and_fits_into_a_folder() -> None:
    assert theirs_name(b"d.x/train.csv") == b"d.x/train.theirs.csv"
    assert theirs_name(b".env") == b".env.theirs"
    assert theirs_name(b"README", 2) == b"README.theirs-2"
    assert len(theirs_name(b"n" * 255)) == 255


def test_a_conflict_of_names_knows_both() -> None:
    merged = merge([file(b"old", b"0")], [file(b"one", b"0")], [file(b"two", b"0")])

    assert merged.conflicts == (
        Conflict(RENAMED_APART, b"one", file(b"old", b"0"), file(b"one", b"0"), file(b"two", b"0")),
    )
