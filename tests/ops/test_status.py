"""`status`: every difference is told, whatever was lost or damaged, and one bad thing stops no other."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time

import pytest

from dataver.disk.disk import Clock
from dataver.index.columns import NEVER_NS, load
from dataver.ops.status import status
from dataver.repo import Repo
from dataver.workspace import compare
from tests.workspace.sandbox import LARGE, Sandbox, new_sandbox, noise, picture


class _Stopped(Clock):
    """A clock that stands still."""

    def __init__(self, now_ns: int) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns


def _settle(box: Sandbox) -> None:
    """Let the index know every file: those as young as the clock's tick are read each time."""
    time.sleep(0.03)
    box.status()


def test_a_change_of_the_same_size_shows_though_the_time_was_set_back(box: Sandbox) -> None:
    _settle(box)
    place = box.top / "data/a.txt"
    before = place.stat()
    place.write_text("ALPHA\n")
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert box.changes() == {"data/a.txt": "modified"}


def test_a_change_right_after_a_look_shows(box: Sandbox) -> None:
    for word in ("alphb\n", "alphc\n", "alphd\n"):
        (box.top / "data/a.txt").write_text(word)

        assert box.changes() == {"data/a.txt": "modified"}

    (box.top / "data/a.txt").write_text("alpha\n")

    assert box.changes() == {}


def test_a_file_that_changed_within_a_tick_of_the_look_is_read_again_next_time(box: Sandbox) -> None:
    place = box.top / "data/a.txt"
    place.write_text("alphb\n")
    with Repo(str(box.top), clock=_Stopped(place.stat().st_ctime_ns + 1_000_000)) as repo:
        status(repo)

    index = load(str(box.index_file()))

    folder = index.get(b"") if index is not None else None
    assert folder is not None
    assert folder.stat(folder.names.index(b"a.txt"))[2] == NEVER_NS


def test_a_file_swapped_for_another_by_renaming_shows(box: Sandbox) -> None:
    _settle(box)
    before = (box.top / "data/a.txt").stat()
    (box.top / "other").write_text("omega\n")
    os.utime(box.top / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
    (box.top / "other").rename(box.top / "data/a.txt")

    assert box.changes() == {"data/a.txt": "modified"}


def test_every_kind_of_change_has_its_word(box: Sandbox) -> None:
    (box.top / "data/a.txt").chmod(0o755)
    (box.top / "data/b.txt").rename(box.top / "data/c.txt")
    (box.top / "data/train/1.csv").unlink()
    (box.top / "data/train/2.csv").write_text("changed")
    (box.top / "data/new").mkdir()
    os.mkfifo(box.top / "data/fifo")

    assert box.changes() == {
        "data/a.txt": "type",
        "data/c.txt": "renamed",
        "data/fifo": "unsafe",
        "data/new": "added",
        "data/train/1.csv": "deleted",
        "data/train/2.csv": "modified",
    }


def test_an_emptied_folder_is_told_as_one(box: Sandbox) -> None:
    (box.top / "data/test/3.csv").unlink()

    assert box.changes() == {"data/test": "added", "data/test/3.csv": "deleted"}


def test_a_clean_look_leaves_nothing_to_look_at_again(box: Sandbox) -> None:
    _settle(box)

    index = load(str(box.index_file()))

    assert index is not None
    assert index.touched == frozenset()


def test_more_changes_than_an_index_lists_are_told_again_and_again(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "FULL_FROM", 2)
    for name in ("a.txt", "b.txt", "train/1.csv"):
        (box.top / "data" / name).write_text("changed")
    time.sleep(0.03)

    told = [set(box.changes()) for _ in range(3)]

    assert told == [{"data/a.txt", "data/b.txt", "data/train/1.csv"}] * 3


def test_a_damaged_index_changes_nothing_but_speed(box: Sandbox) -> None:
    box.write({"data/b.txt": "changed", "data/new": "new"})
    (box.top / "data/train/1.csv").unlink()
    time.sleep(0.03)
    expected = box.changes()
    sound = box.index_file().read_bytes()
    choice = random.Random(5)
    told = []

    for number in range(40):
        spoilt = bytearray(sound)
        if number % 4 == 0:
            spoilt = spoilt[: choice.randrange(len(spoilt))]
        else:
            spoilt[choice.randrange(len(spoilt))] ^= 1 << choice.randrange(8)
        box.index_file().write_bytes(spoilt)
        told.append(box.changes())

    assert told == [expected] * 40


def test_a_deletion_shows_though_its_folder_s_part_of_the_index_is_damaged(box: Sandbox) -> None:
    data = bytearray(box.index_file().read_bytes())
    data[data.find(b"1.csv\x002.csv")] ^= 1
    box.index_file().write_bytes(data)
    (box.top / "data/train/1.csv").unlink()

    assert box.changes() == {"data/train/1.csv": "deleted"}


def test_an_index_that_is_a_symlink_or_a_folder_counts_as_none(box: Sandbox) -> None:
    box.index_file().unlink()
    box.index_file().mkdir()

    assert box.changes() == {}


def test_verify_believes_nothing_of_the_index(box: Sandbox) -> None:
    _settle(box)
    path = box.index_file()
    index = load(str(path))
    assert index is not None
    folder = index.get(b"")
    assert folder is not None
    box.write({"data/a.txt": "ALPHA\n"})
    _settle(box)

    assert box.changes(verify=True) == {"data/a.txt": "modified"}


def test_without_a_record_nothing_counts_as_deleted(box: Sandbox) -> None:
    (box.top / "data/a.txt").unlink()
    box.record_file().unlink()

    target = box.target()

    assert (target.state, target.changes, target.absent) == ("partial", (), 1)


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"dataver record 1\ntarget 00\nroot \nend\n"])
def test_a_damaged_record_counts_as_none(box: Sandbox, damage: bytes) -> None:
    (box.top / "data/a.txt").unlink()
    box.record_file().write_bytes(damage)

    assert (box.target().changes, box.target().absent) == ((), 1)


def test_a_fresh_clone_is_absent_and_not_deleted(box: Sandbox) -> None:
    other = box.clone("other")

    target = other.target()

    assert (target.state, target.changes, target.absent) == ("absent", (), 6)


def test_a_lost_cache_is_said_and_the_workspace_stays_clean(box: Sandbox) -> None:
    _settle(box)
    box.drop_cache()

    found = box.status()

    assert found.targets[0].state == "clean"
    assert [w.code for w in found.warnings] == ["missing-object"]


def test_a_weaker_hash_calls_nothing_modified_when_the_index_is_lost(box: Sandbox) -> None:
    (box.top / "data/link").symlink_to("a.txt")
    box.record("data")
    box.index_file().unlink()
    box.write({".dataver/config.toml": '[core]\nversion = 1\nhash = "xxh128"\n'})

    assert box.changes() == {}
    _settle(box)
    index = load(str(box.index_file()))
    assert index is not None
    assert index.touched == frozenset()


def test_a_rule_that_comes_later_hides_no_tracked_file(box: Sandbox) -> None:
    box.write({"data/.dataverignore": "a.txt\n*.tmp\n", "data/x.tmp": "tmp"})
    box.record("data")
    box.write({"data/a.txt": "changed"})

    assert box.changes() == {"data/a.txt": "modified"}
    assert [c.path for t in box.diff().targets for c in t.changes] == [b"data/a.txt"]


def test_rules_count_at_every_depth_and_above_the_target(empty_box: Sandbox) -> None:
    empty_box.write(
        {
            ".dataverignore": "*.top\n",
            "data/.dataverignore": "/only-here\n",
            "data/sub/.dataverignore": "*.deep\n!kept.deep\n",
            "data/only-here": "1",
            "data/sub/only-here": "2",
            "data/sub/x.deep": "3",
            "data/sub/kept.deep": "4",
            "data/sub/x.top": "5",
        }
    )

    empty_box.add("data")

    assert set(empty_box.entries()) == {
        ".dataverignore",
        "sub/.dataverignore",
        "sub/only-here",
        "sub/kept.deep",
    }


@pytest.mark.parametrize("place", ["data/.dataverignore", ".dataverignore"])
def test_a_rule_that_goes_shows_what_it_hid(empty_box: Sandbox, place: str) -> None:
    empty_box.write({place: "*.tmp\n", "data/sub/x.tmp": "tmp", "data/sub/y": "y"})
    empty_box.record("data")
    _settle(empty_box)

    (empty_box.top / place).unlink()

    assert empty_box.changes().get("data/sub/x.tmp") == "added"


def test_a_rule_that_changes_shows_what_it_hid(empty_box: Sandbox) -> None:
    empty_box.write({".dataverignore": "*.tmp\n", "data/sub/x.tmp": "tmp", "data/sub/y": "y"})
    empty_box.record("data")
    _settle(empty_box)

    empty_box.write({".dataverignore": "*.bak\n"})

    assert empty_box.changes() == {"data/sub/x.tmp": "added"}


def test_a_folder_replaced_by_a_link_is_not_followed(box: Sandbox) -> None:
    outside = box.top.parent / "outside"
    outside.mkdir()
    (outside / "1.csv").write_text("secret")
    shutil.rmtree(box.top / "data/train")
    (box.top / "data/train").symlink_to(outside)

    result = box.add("data")

    assert [f.path for f in result.failed] == [b"data/train"]
    assert set(box.entries()) >= {"train/1.csv", "train/2.csv"}


def test_a_path_that_means_nothing_is_an_error(box: Sandbox) -> None:
    assert box.status("data/never").exit_status == 2
    assert box.status("data/*.never").exit_status == 2
    assert box.status("data/*.txt", "data/train").exit_status == 0


def test_one_bad_pointer_does_not_hide_the_other(box: Sandbox) -> None:
    box.write({"other/x": "x"})
    box.record("other")
    box.write({"data.dv": "rubbish", "other/x": "changed"})

    found = box.status()

    assert {t.path: t.state for t in found.targets} == {b"data": "error", b"other": "dirty"}
    assert found.exit_status == 3


def test_a_conflict_leaves_the_others_working_and_add_solves_it(box: Sandbox) -> None:
    box.write({"other/x": "x"})
    box.record("other")
    box.git("switch", "-q", "-c", "side")
    box.write({"data/a.txt": "theirs"})
    box.record("data")
    box.git("switch", "-q", "main")
    box.checkout()
    box.write({"data/a.txt": "ours"})
    box.record("data")
    box.git("merge", "side", check=False)
    box.write({"other/y": "y"})

    states = {t.path: t.state for t in box.status().targets}
    others = box.add("other").failed, box.checkout("other").failed, box.changes("other")
    box.write({"data/a.txt": "both"})
    box.add("data")

    assert states == {b"data": "conflict", b"other": "dirty"}
    assert others == ((), (), {})
    assert box.git("ls-files", "-u") == ""
    assert box.changes() == {}


def test_after_a_switch_status_names_the_version_in_the_workspace(box: Sandbox) -> None:
    box.write({"data/new": "new"})
    box.record("data", tag="v2")
    box.git("switch", "-q", "--detach", "v1")

    target = box.target()

    assert (target.at, {c.kind for c in target.changes}) == ("v2", {"added"})


def test_each_worktree_has_a_record_of_its_own(box: Sandbox) -> None:
    box.git("worktree", "add", "-q", str(box.top.parent / "second"), "v1")
    second = Sandbox(box.top.parent / "second")
    before = second.target().state
    second.checkout()
    second.write({"data/new": "new"})

    assert before == "absent"
    assert second.changes() == {"data/new": "added"}
    assert box.changes() == {}


def test_a_pointer_moved_by_git_is_told_as_moved(box: Sandbox) -> None:
    box.git("mv", "data.dv", "new.dv")

    found = {t.path: (t.git, t.moved_from) for t in box.status().targets}

    assert found[b"new"] == ("moved", b"data")


def test_status_writes_nothing_but_the_index(box: Sandbox) -> None:
    box.write({"data/a.txt": "changed"})
    box.status()  # the first command in a clone says in the cache who uses it
    skipped = [".git/dataver/index"]
    before = picture(box.top, without=skipped)

    box.status()

    assert picture(box.top, without=skipped) == before


def test_a_folder_that_cannot_be_read_hides_nothing(box: Sandbox) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (box.top / "data/train").chmod(0)
    try:
        result = box.add("data")
    finally:
        (box.top / "data/train").chmod(0o755)

    assert [f.path for f in result.failed] == [b"data/train"]
    assert {"train/1.csv", "train/2.csv"} <= set(box.entries())


def test_a_single_file_is_a_target_too(empty_box: Sandbox) -> None:
    empty_box.write({"model.bin": noise(2, LARGE)})
    empty_box.record("model.bin")
    empty_box.write({"model.bin": noise(3, LARGE)})

    assert empty_box.changes("model.bin") == {"model.bin": "modified"}


def test_with_nothing_tracked_it_says_so(empty_box: Sandbox) -> None:
    assert empty_box.status().targets == ()
    assert empty_box.status().exit_status == 0


def test_git_and_dataver_agree_on_a_repository_with_sha256(tmp_path_factory: pytest.TempPathFactory) -> None:
    top = tmp_path_factory.mktemp("sha256") / "work"
    box = new_sandbox(top)
    shutil.rmtree(top / ".git")
    subprocess.run(["git", "init", "-q", "-b", "main", "--object-format=sha256"], cwd=top, check=True)
    box.write({"data/x": "x"})
    box.record("data")

    assert box.target().git == "committed"
