"""`add` where pointer and workspace are not at one version: it merges, refuses, or replaces and says so."""

from __future__ import annotations

import shutil

import pytest

from dataver.errors import ConflictError, ShallowHistoryError
from tests.workspace.sandbox import Sandbox, picture


@pytest.fixture
def behind(box: Sandbox) -> Sandbox:
    """Return a clone at v1 whose pointer, pulled from Git, is v2: b.txt newer, new.txt added, 3.csv gone."""
    other = box.clone("other")
    other.checkout()
    box.write({"data/b.txt": "newer\n", "data/new.txt": "new\n"})
    shutil.rmtree(box.top / "data/test")
    box.record("data", tag="v2")
    _pull(box, other)
    return other


def _pull(source: Sandbox, target: Sandbox) -> None:
    """Bring Git's commits and the cache's objects, and leave the workspace as it is."""
    target.git("pull", "-q", "--tags", "origin", "main")
    shutil.copytree(source.cache, target.cache, dirs_exist_ok=True, copy_function=_copy_new)


def _copy_new(source: str, target: str) -> str:
    try:
        return shutil.copy2(source, target)
    except PermissionError:
        return target


def test_add_keeps_what_only_the_newer_pointer_has(behind: Sandbox) -> None:
    before = behind.read("data.dv")

    result = behind.add("data")

    assert result.failed == ()
    assert result.warnings == ()
    assert behind.read("data.dv") == before


def test_add_brings_own_changes_into_the_newer_version(behind: Sandbox) -> None:
    behind.write({"data/mine.txt": "mine\n", "data/a.txt": "alpha mine\n"})
    (behind.top / "data/train/1.csv").unlink()

    result = behind.add("data")

    target = result.targets[0]
    assert (target.added, target.modified, target.deleted) == (1, 1, 1)
    assert set(behind.entries()) == {"a.txt", "b.txt", "big.bin", "mine.txt", "new.txt", "train/2.csv"}
    assert behind.entries()["b.txt"].size == len("newer\n")
    assert behind.pointer().files == 6


def test_adding_again_changes_nothing(behind: Sandbox) -> None:
    behind.write({"data/mine.txt": "mine\n"})
    behind.add("data")
    before = behind.read("data.dv")

    result = behind.add("data")

    assert result.targets[0].is_unchanged
    assert behind.read("data.dv") == before


def test_status_shows_and_checkout_brings_what_only_the_pointer_has(behind: Sandbox) -> None:
    behind.write({"data/mine.txt": "mine\n"})
    behind.add("data")

    told = set(behind.changes())
    result = behind.checkout()

    assert {"data/new.txt", "data/b.txt"} <= told
    assert "data/mine.txt" not in told
    assert result.failed == ()
    assert behind.read("data/b.txt") == b"newer\n"
    assert behind.read("data/mine.txt") == b"mine\n"
    assert behind.changes() == {}


def test_no_file_is_touched_by_catching_up(behind: Sandbox) -> None:
    behind.write({"data/mine.txt": "mine\n"})
    before = picture(behind.top / "data")

    behind.add("data")

    assert picture(behind.top / "data") == before


def test_what_both_changed_is_refused_by_name(behind: Sandbox) -> None:
    behind.write({"data/b.txt": "mine\n"})
    before = picture(behind.top, without=[".git"])

    with pytest.raises(ConflictError, match=r"b\.txt") as caught:
        behind.add("data")

    assert caught.value.exit_status == 6
    assert picture(behind.top, without=[".git"]) == before


def test_a_path_inside_that_is_no_part_of_the_conflict_can_be_added(behind: Sandbox) -> None:
    behind.write({"data/b.txt": "mine\n", "data/a.txt": "alpha mine\n"})

    behind.add("data/a.txt")

    assert behind.entries()["a.txt"].size == len("alpha mine\n")
    assert behind.entries()["b.txt"].size == len("newer\n")
    assert "new.txt" in behind.entries()


def test_the_same_change_on_both_sides_is_no_conflict(behind: Sandbox) -> None:
    behind.write({"data/b.txt": "newer\n"})
    before = behind.read("data.dv")

    behind.add("data")

    assert behind.read("data.dv") == before


def test_a_conflict_is_solved_by_taking_theirs(behind: Sandbox) -> None:
    behind.write({"data/b.txt": "mine\n"})

    behind.checkout("data/b.txt", force=True)
    result = behind.add("data")

    assert result.failed == ()
    assert behind.entries()["b.txt"].size == len("newer\n")


def test_the_index_is_not_needed_to_catch_up(behind: Sandbox) -> None:
    behind.write({"data/mine.txt": "mine\n"})
    behind.index_file().unlink()

    behind.add("data")

    assert {"mine.txt", "new.txt"} <= set(behind.entries())


def test_a_sparse_workspace_catches_up_too(box: Sandbox) -> None:
    other = box.clone("other")
    other.checkout("data/train")
    box.write({"data/train/9.csv": "9\n", "data/a.txt": "newer\n"})
    box.record("data")
    _pull(box, other)
    other.write({"data/train/mine.csv": "mine\n"})

    other.add("data")

    found = other.entries()
    assert {"train/9.csv", "train/mine.csv", "b.txt", "test/3.csv"} <= set(found)
    assert found["a.txt"].size == len("newer\n")


def test_a_lost_record_keeps_what_only_the_pointer_has(behind: Sandbox) -> None:
    behind.record_file().unlink()

    behind.add("data")

    assert "new.txt" in behind.entries()


def test_after_a_merge_of_pointers_the_own_version_is_part_of_history(box: Sandbox) -> None:
    box.git("switch", "-q", "-c", "side")
    box.write({"data/theirs.txt": "theirs\n"})
    box.record("data")
    box.git("switch", "-q", "main")
    box.checkout()
    box.write({"data/ours.txt": "ours\n"})
    box.record("data")
    ours = box.read("data.dv")
    box.git("merge", "-q", "-s", "ours", "side")
    box.git("checkout", "-q", "side", "--", "data.dv")
    box.commit()
    box.write({"data/more.txt": "more\n"})

    box.add("data")

    assert ours != box.read("data.dv")
    assert {"theirs.txt", "more.txt"} <= set(box.entries())


def test_who_switched_back_records_the_workspace_and_is_told(box: Sandbox) -> None:
    box.write({"data/new.txt": "new\n"})
    box.record("data", tag="v2")
    box.git("switch", "-q", "--detach", "v1")

    result = box.add("data")

    assert "new.txt" in box.entries()
    assert [w.code for w in result.warnings] == ["replaces-version"]
    assert "v1" in result.warnings[0].message
    assert result.exit_status == 0


def test_who_checked_out_an_older_version_by_name_goes_back_to_it(box: Sandbox) -> None:
    first = box.pointer().root_id
    box.write({"data/new.txt": "new\n"})
    box.record("data", tag="v2")
    box.checkout(rev="v1")

    result = box.add("data")

    assert box.pointer().root_id == first
    assert [w.code for w in result.warnings] == ["replaces-version"]


def test_who_checked_out_an_older_version_and_then_pulled_a_newer_one_keeps_it(box: Sandbox) -> None:
    other = box.clone("other")
    box.write({"data/b.txt": "two\n"})
    box.record("data", tag="v2")
    _pull(box, other)
    other.checkout(rev="v1")
    box.write({"data/new.txt": "three\n"})
    box.record("data", tag="v3")
    _pull(box, other)

    other.add("data")

    assert "new.txt" in other.entries()


def test_a_partial_add_over_another_version_changes_only_what_was_named(box: Sandbox) -> None:
    box.write({"data/new.txt": "new\n"})
    box.record("data", tag="v2")
    box.git("switch", "-q", "--detach", "v1")
    box.write({"data/a.txt": "alpha mine\n"})

    result = box.add("data/a.txt")

    assert result.warnings == ()
    assert "new.txt" not in box.entries()
    assert box.changes() == {"data/new.txt": "added"}


def test_where_history_is_cut_nothing_is_guessed(box: Sandbox) -> None:
    box.write({"data/new.txt": "new\n"})
    box.record("data", tag="v2")
    other = Sandbox(box.top.parent / "shallow")
    box.git("clone", "-q", "--depth", "1", f"file://{box.top}", str(other.top))
    shutil.copytree(box.cache, other.cache)
    other.checkout()
    record = box.record_file().read_bytes()
    with box.repo() as repo:
        old = next(e for e in repo.git.pointer_blobs(["v1"]) if e[0] == b"data.dv")
        text = repo.git.read_blobs([old[1]])[0].decode()
    root = next(line.split('"')[1] for line in text.splitlines() if line.startswith("tree"))
    now = box.pointer().root_id.hex()
    other.record_file().write_bytes(record.replace(now.encode(), root.encode()))

    with pytest.raises(ShallowHistoryError):
        other.add("data")


def test_a_single_file_that_both_changed_is_refused(empty_box: Sandbox) -> None:
    empty_box.write({"m.bin": "one"})
    empty_box.record("m.bin")
    other = empty_box.clone("other")
    other.checkout()
    empty_box.write({"m.bin": "two"})
    empty_box.record("m.bin")
    _pull(empty_box, other)
    unchanged = other.add("m.bin").targets[0].is_unchanged
    other.write({"m.bin": "mine"})

    with pytest.raises(ConflictError):
        other.add("m.bin")

    assert unchanged


def test_a_folder_is_not_recorded_over_a_newer_pointer_to_a_file(box: Sandbox) -> None:
    other = box.clone("other")
    other.checkout()
    shutil.rmtree(box.top / "data")
    box.write({"data": "a file"})
    box.record("data")
    _pull(box, other)

    with pytest.raises(ConflictError):
        other.add("data")
