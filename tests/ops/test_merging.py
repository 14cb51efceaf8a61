"""The merge of three pointers: what it opens, what it counts, where it gets trees from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dataver.errors import ConflictError
from dataver.formats.pointer import Pointer, decode_pointer, encode_pointer, size_text
from dataver.formats.redaction import redact
from dataver.formats.tree import decode_leaf, encode_leaf
from dataver.model.names import leaf_name
from dataver.model.settle import Settlement
from dataver.model.tree import Entry
from dataver.ops.gitdrivers import merge
from dataver.ops.merging import Sides, merge_notes, merging, write_merge
from dataver.ops.push import push
from dataver.repo import Repo
from dataver.store.cache_writer import CacheWriter
from dataver.store.trees import Trees
from dataver.store.treewriter import KeyOf, save, update
from dataver.workspace.leafkeys import leaf_keys
from tests.formats.samples import file
from tests.ops.exchange_bench import clone, git, new_project, record, write
from tests.ops.merge_bench import pointer_to, sides_of, temp_files
from tests.workspace.sandbox import Sandbox

MANY = 100_000


def entries(count: int, changed: dict[int, bytes] | None = None) -> list[Entry]:
    """Return files of 1,000 bytes in 100 folders; *changed* have other content."""
    found = []
    for n in range(count):
        content = (changed or {}).get(n, b"%d" % n)
        found.append(file(b"%02d/%05d" % (n * 100 // count, n), content)._replace(size=1000))
    return found


def constant(letter: bytes) -> KeyOf:
    """Draw a leaf's key as a clone without the secret might: another one than others draw."""
    return lambda _: letter * 32


def changed(repo: Repo, pointer: Pointer, files: list[Entry]) -> Pointer:
    """Return a pointer to the tree of another one with *files* instead."""
    with CacheWriter(repo.cache) as writer:
        tree_key = repo.secret.tree_key if repo.secret else None
        key = leaf_keys(repo.workspace.top, tree_key, b"data", is_single=False).key_of
        root = update(repo.trees, pointer.root_id, [(e.path, e) for e in files], writer, key)
        writer.commit()
    return Pointer(root, True, pointer.files, pointer.size_text)


def merged(repo: Repo, sides: Sides) -> Pointer:
    with merging(repo, sides) as work:
        assert work.is_clean
        return write_merge(
            repo, work, Settlement(work.merge.changes, (), ()), work.note, target=b"data"
        ).pointer


def view(repo: Repo, pointer: Pointer) -> list[Entry]:
    return list(Trees(repo.cache, repo.trees.erased).entries(pointer.root_id))


# -- what it costs --------------------------------------------------------------------------------


def test_a_merge_of_few_changes_opens_few_leaves_of_many(empty_box: Sandbox) -> None:
    files = entries(MANY)
    step = MANY // 20
    with empty_box.repo() as repo:
        base = pointer_to(repo, files)
        ours, theirs = (
            changed(repo, base, [files[n * step]._replace(size=2000 + n) for n in numbers])
            for numbers in (range(10), range(10, 20))
        )
        sides = Sides(base, ours, theirs)

        with merging(repo, sides) as work:
            pointer = write_merge(
                repo, work, Settlement(work.merge.changes, (), ()), work.note, target=b"data"
            ).pointer
            opened = work.trees.loads

        assert len(repo.trees.root(pointer.root_id).leaves) > 80
        assert opened <= 60
        assert [c.path for c in repo.trees.diff(base.root_id, pointer.root_id)] == [
            files[n * step].path for n in range(20)
        ]


# -- what it comes to -----------------------------------------------------------------------------


def test_both_sides_come_to_the_same_pointer(empty_box: Sandbox) -> None:
    with empty_box.repo() as repo:
        base, ours, theirs = sides_of(
            repo, entries(5000), entries(5100, {1: b"ours"}), entries(5000, {4000: b"theirs"})
        )
        assert base is not None

        assert merged(repo, Sides(base, ours, theirs)) == merged(repo, Sides(base, theirs, ours))


def test_the_files_are_counted_exactly_without_opening_the_rest(empty_box: Sandbox) -> None:
    few = entries(3000)
    with empty_box.repo() as repo:
        sides = sides_of(repo, few, [*few, file(b"x/1", b"1"), file(b"x/2", b"2")], few[10:])

        assert merged(repo, sides).files == 2992


def test_the_size_is_that_of_the_tree_to_two_digits(empty_box: Sandbox) -> None:
    few = entries(3000)
    more = [file(b"x/%03d" % n, b"x")._replace(size=1000) for n in range(500)]
    with empty_box.repo() as repo:
        sides = sides_of(repo, few, [*few, *more], few[1000:])

        assert merged(repo, sides).size_text == size_text(2_500_000) == "2.5 MB"


def test_where_only_they_changed_something_it_is_their_very_tree(empty_box: Sandbox) -> None:
    with empty_box.repo() as repo:
        sides = sides_of(repo, entries(10), entries(10), entries(10, {3: b"theirs"}))

        assert merged(repo, sides) == sides.theirs


def test_pointers_that_both_sides_added_are_merged_over_an_empty_tree(empty_box: Sandbox) -> None:
    with empty_box.repo() as repo:
        ours, theirs = (pointer_to(repo, [file(name, b"1")]) for name in (b"a", b"b"))

        assert view(repo, merged(repo, Sides(None, ours, theirs))) == [file(b"a", b"1"), file(b"b", b"1")]


def test_of_two_ids_for_the_same_entries_the_smaller_wins(empty_box: Sandbox) -> None:
    with empty_box.repo() as repo:
        with CacheWriter(repo.cache) as writer:
            roots = [save(entries(10, {1: b"x"}), writer, constant(c)) for c in (b"1", b"2")]
            writer.commit()
        base = pointer_to(repo, entries(10))
        one, two = (Pointer(root, True, 10, "10 kB") for root in roots)

        found = {merged(repo, Sides(base, one, two)).root_id, merged(repo, Sides(base, two, one)).root_id}

        assert found == {min(roots)}


def test_of_two_ids_for_one_leaf_the_smaller_wins_in_a_tree_that_both_changed(empty_box: Sandbox) -> None:
    with empty_box.repo() as repo:
        base = pointer_to(repo, entries(5000))
        with CacheWriter(repo.cache) as writer:
            both = (entries(5000, {0: b"x", 4999: b"o"}), entries(5000, {0: b"x", 2500: b"t"}))
            roots = [save(e, writer, constant(c)) for e, c in zip(both, (b"1", b"2"), strict=True)]
            writer.commit()
        one, two = (Pointer(root, True, 5000, "5.0 MB") for root in roots)

        assert merged(repo, Sides(base, one, two)).root_id == merged(repo, Sides(base, two, one)).root_id


def test_an_erased_entry_is_no_deletion_on_the_side_that_lacks_it(empty_box: Sandbox) -> None:
    with empty_box.repo() as repo:
        base, ours, theirs = sides_of(
            repo, entries(5), entries(5, {0: b"ours"}), [*entries(5), file(b"z", b"new")]
        )
        assert base is not None
        leaf = repo.trees.root(base.root_id).leaves[0]
        intact = decode_leaf(repo.cache.read(leaf_name(leaf.leaf_id)), leaf.leaf_id)
        erased = repo.trees.erased.__class__(frozenset({intact.commitments[4]}), {})
        repo.trees = Trees(repo.cache, erased)
        with CacheWriter(repo.cache) as writer:  # a copy of the base that is redacted already
            writer.add(leaf_name(leaf.leaf_id), encode_leaf(redact(intact, erased)))
            writer.commit()

        pointer = merged(repo, Sides(base, ours, theirs))

        assert [e.path for e in view(repo, pointer)] == [e.path for e in (*entries(5), file(b"z", b"new"))]


# -- notes ----------------------------------------------------------------------------------------


def with_notes(base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]) -> Sides:
    return Sides(*(Pointer(bytes(32), True, 1, "1 B", note) for note in (base, ours, theirs)))


def test_notes_are_merged_key_by_key() -> None:
    sides = with_notes(
        {"gone": "1", "kept": "1", "mine": "1", "other": "1"},
        {"kept": "1", "mine": "2", "other": "1", "new": "a"},
        {"gone": "1", "kept": "1", "mine": "1", "other": "2"},
    )

    assert merge_notes(sides) == ({"kept": "1", "mine": "2", "new": "a", "other": "2"}, ())


def test_a_key_that_both_changed_is_a_conflict_and_ours_stands() -> None:
    assert merge_notes(with_notes({"a": "0"}, {"a": "1"}, {"a": "2"})) == ({"a": "1"}, ("a",))


def test_a_key_that_one_deleted_and_the_other_changed_is_a_conflict() -> None:
    assert merge_notes(with_notes({"a": "0"}, {}, {"a": "2"})) == ({}, ("a",))


# -- the driver -----------------------------------------------------------------------------------


def test_a_conflict_says_how_much_each_side_changed(empty_box: Sandbox, tmp_path: Path) -> None:
    more = file(b"z", b"more")
    with empty_box.repo() as repo:
        sides = sides_of(repo, entries(9), [*entries(9, {3: b"ours"}), more], entries(9, {3: b"theirs"})[1:])

        with pytest.raises(ConflictError) as caught:
            merge(repo, *temp_files(tmp_path, *sides), "data.dv")

    assert "(mine +1 ~1, theirs -1 ~1, 1 path in both): data/" in caught.value.message
    assert caught.value.hint == "dataver resolve --union|--ours|--theirs data.dv"


def test_a_file_against_a_folder_is_a_conflict(empty_box: Sandbox, tmp_path: Path) -> None:
    with empty_box.repo() as repo:
        base, ours, theirs = sides_of(repo, entries(2), entries(3), entries(4))
        theirs = Pointer(theirs.root_id, False, 1, "1 B")

        with pytest.raises(ConflictError, match="a file on one side"):
            merge(repo, *temp_files(tmp_path, base, ours, theirs), "data.dv")


def test_without_trees_and_remote_a_conflict_says_what_to_do(empty_box: Sandbox, tmp_path: Path) -> None:
    with empty_box.repo() as repo:
        sides = sides_of(repo, entries(2), entries(3), entries(4))
    empty_box.drop_cache()
    files = temp_files(tmp_path, *sides)
    before = Path(files[1]).read_bytes()

    with empty_box.repo() as repo, pytest.raises(ConflictError) as caught:
        merge(repo, *files, "data.dv")

    assert caught.value.hint == "dataver fetch && dataver resolve data.dv"
    assert Path(files[1]).read_bytes() == before


def test_rubbish_on_one_side_is_a_conflict(empty_box: Sandbox, tmp_path: Path) -> None:
    with empty_box.repo() as repo:
        files = temp_files(tmp_path, *sides_of(repo, entries(2), entries(3), entries(4)))
        Path(files[2]).write_text("rubbish")

        with pytest.raises(ConflictError, match=r"data\.dv"):
            merge(repo, *files, "data.dv")


def test_an_empty_cache_is_filled_from_the_remote_with_few_requests_and_structure_alone(
    tmp_path: Path,
) -> None:
    top = new_project(tmp_path / "churn")
    git(top, "switch", "-q", "-c", "side")
    write(top, {"data/theirs.txt": "theirs"})
    record(top, "data")
    git(top, "switch", "-q", "main")
    git(top, "checkout", "-q", "HEAD", "--", ".")
    (top / "data/theirs.txt").unlink()
    write(top, {"data/ours.txt": "ours"})
    record(top, "data")
    with Repo.open(str(top)) as repo:
        push(repo, all_refs=True)
    there = clone(top, "other")
    base, ours, theirs = (
        decode_pointer(git(there, "show", f"{rev}:data.dv").encode(), rev)
        for rev in ("v1", "main", "origin/side")
    )

    with Repo.open(str(there)) as repo:
        files = temp_files(tmp_path, base, ours, theirs)
        assert merge(repo, *files, "data.dv") == 0
        requests = repo.remote().bucket.requests
        pointer = decode_pointer(Path(files[1]).read_bytes(), "merged")

    assert {os.fsdecode(e.path) for e in view(repo, pointer)} >= {"ours.txt", "theirs.txt", "a.txt"}
    assert requests <= 20
    assert not list((there / ".git/dataver/cache/packs").glob("d-*"))
    assert encode_pointer(pointer).count(b"files = 6\n") == 1
