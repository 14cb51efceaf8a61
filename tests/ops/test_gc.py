"""`gc` as a verb: grace, undo, trees that are not here, what a remote was shown to hold, shared caches."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dataver.disk.disk import Clock, Disk
from dataver.errors import DiskFullError, NoSuchPathError, RemoteError, UnprovenError
from dataver.model.guarding import GcResult
from dataver.ops.fetch import fetch
from dataver.ops.gc import gc, gc_forget, gc_undo
from dataver.ops.push import push
from dataver.ops.remotes import remote_add
from dataver.repo import Repo
from tests.workspace.sandbox import LARGE, SMALL, Sandbox, new_sandbox, noise

DAY = 24.0


class At(Clock):
    """A clock *hours* on."""

    def __init__(self, hours: float) -> None:
        self._offset_s = hours * 3600

    def now_s(self) -> float:
        return time.time() + self._offset_s


def collect(box: Sandbox, hours: float = 2, **options: Any) -> GcResult:
    """Run gc *hours* from now, when what was written is no longer young."""
    with Repo(str(box.top), clock=At(hours)) as repo:
        return gc(repo, **options)


def undo(box: Sandbox, **options: Any) -> GcResult:
    with box.repo() as repo:
        return gc_undo(repo, **options)


def abandon(box: Sandbox) -> None:
    """Add a version with contents of its own, and go back to the one before it."""
    box.write({"data/new.txt": "new\n", "data/new.bin": noise(9, LARGE)})
    box.record()
    box.git("reset", "-q", "--hard", "HEAD~1")
    box.git("reflog", "expire", "--expire=now", "--all")
    (box.top / ".git/ORIG_HEAD").unlink()
    assert box.checkout().failed == ()


def restores(box: Sandbox) -> bool:
    """Tell whether the present version can be checked out of the cache alone."""
    shutil.rmtree(box.top / "data")
    return box.checkout().failed == () and all(box.read(n) == _bytes(c) for n, c in SMALL.items())


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


# -- grace


def test_what_is_abandoned_is_set_aside_and_not_deleted(box: Sandbox) -> None:
    abandon(box)

    result = collect(box)

    assert (result.set_aside, result.deleted) == (4, 0)
    assert result.set_aside_size > LARGE
    assert restores(box)


def test_after_the_grace_period_it_is_deleted(box: Sandbox) -> None:
    abandon(box)
    waiting = collect(box).waiting

    early, late = collect(box, 13 * DAY), collect(box, 15 * DAY)

    assert (early.deleted, early.waiting) == (0, waiting)
    assert (late.deleted, late.waiting) == (waiting, 0)


def test_a_clock_that_went_back_keeps_what_is_set_aside(box: Sandbox) -> None:
    abandon(box)
    waiting = collect(box, 1000 * DAY).waiting

    assert collect(box).waiting == waiting


def test_without_a_grace_period_it_is_deleted_at_once(box: Sandbox) -> None:
    abandon(box)
    before = len(box.loose())

    result = collect(box, 0, grace_s=0)

    assert (result.set_aside, result.deleted) == (0, 4)
    assert len(box.loose()) == before - 1
    assert restores(box)


def test_undo_brings_everything_back(box: Sandbox) -> None:
    abandon(box)
    before = sorted(p.name for p in [*box.packs("d"), *box.packs("s"), *box.loose()])
    collect(box)

    undo(box)

    assert sorted(p.name for p in [*box.packs("d"), *box.packs("s"), *box.loose()]) == before


def test_a_dry_run_changes_nothing_and_names_the_largest(box: Sandbox) -> None:
    abandon(box)
    before = sorted(p.name for p in [*box.packs("d"), *box.packs("s"), *box.loose()])

    result = collect(box, dry_run=True)

    assert (result.set_aside, result.waiting) == (4, 0)
    assert [(item.name, item.size) for item in result.largest] == [("new.bin", LARGE), ("new.txt", 4)]
    assert sorted(p.name for p in [*box.packs("d"), *box.packs("s"), *box.loose()]) == before


def test_what_was_just_added_stays(box: Sandbox) -> None:
    abandon(box)

    assert collect(box, 0.5).set_aside == 0


def test_what_is_needed_again_comes_back_by_itself(box: Sandbox) -> None:
    box.write({"data/new.bin": noise(9, LARGE)})
    box.record()
    found = box.git("rev-parse", "HEAD").strip()
    box.git("reset", "-q", "--hard", "HEAD~1")
    box.checkout()
    for log in ("reflog expire --expire=now --all", "update-ref -d ORIG_HEAD"):
        box.git(*log.split())
    collect(box)
    box.git("branch", "again", found)

    result = collect(box, 20 * DAY)

    assert (result.restored > 0, result.waiting) == (True, 0)
    assert box.checkout(rev="again").failed == ()


def test_a_second_gc_finds_nothing_more(box: Sandbox) -> None:
    abandon(box)
    collect(box)

    assert collect(box).set_aside == 0


# -- what is left lying about


def test_old_temp_files_and_replaced_files_go(box: Sandbox) -> None:
    box.write({"data/a.txt": "changed\n"})
    box.checkout(force=True)
    (box.cache / "tmp/.dataver-tmp-0").write_bytes(b"x" * 10)
    assert list((box.local / "trash").iterdir())

    early, late = collect(box, 12), collect(box, 8 * DAY)

    assert (early.deleted, late.deleted) == (0, 2)
    assert list((box.local / "trash").iterdir()) == []


def test_what_is_quarantined_goes_after_the_grace_period(box: Sandbox) -> None:
    (box.cache / "quarantine").mkdir()
    (box.cache / "quarantine/bad").write_bytes(b"x")

    assert (collect(box, 13 * DAY).deleted, collect(box, 15 * DAY).deleted) == (0, 1)


# -- trees that are not here


@pytest.fixture
def pushed(box: Sandbox) -> Sandbox:
    """Return a sandbox whose two versions lie on a remote, in the folder `store` beside it."""
    with box.repo() as repo:
        remote_add(repo, "origin", str(box.top.parent / "store"))
    box.commit()
    box.write({"data/a.txt": "alpha 2\n", "data/big.bin": noise(2, LARGE)})
    box.record(tag="v2")
    with box.repo() as repo:
        push(repo, all_refs=True)
    return box


def _clone(box: Sandbox) -> Sandbox:
    """Return a clone that has fetched the present version only."""
    target = box.top.parent / "clone"
    subprocess.run(["git", "clone", "-q", str(box.top), str(target)], check=True)
    clone = Sandbox(target)
    with clone.repo() as repo:
        fetch(repo)
    clone.checkout()
    return clone


def test_contents_stay_while_a_needed_tree_is_not_here(pushed: Sandbox) -> None:
    clone = _clone(pushed)
    abandon(clone)

    result = collect(clone)

    assert [w.code for w in result.warnings] == ["trees-missing"]
    assert result.warnings[0].hint == "dataver gc --fetch"
    assert len(clone.loose()) == 2


def test_the_trees_can_be_fetched_first(pushed: Sandbox) -> None:
    clone = _clone(pushed)
    abandon(clone)

    result = collect(clone, fetch_trees=True)

    assert result.warnings == ()
    assert len(clone.loose()) == 1


def test_trees_that_are_lost_can_be_given_up(pushed: Sandbox) -> None:
    clone = _clone(pushed)
    abandon(clone)

    collect(clone, ignore_missing=True)

    assert len(clone.loose()) == 1


# -- what a remote holds


def test_local_copies_of_old_versions_are_freed(pushed: Sandbox) -> None:
    result = collect(pushed, 0, pushed=True)

    assert result.freed == 2
    assert len(pushed.loose()) == 1
    shutil.rmtree(pushed.top / "data")
    assert pushed.checkout().failed == ()


def test_what_was_freed_can_be_fetched(pushed: Sandbox) -> None:
    collect(pushed, 0, pushed=True)

    with pushed.repo() as repo:
        assert fetch(repo, refs="v1").failed == ()
    assert pushed.checkout(rev="v1").failed == ()
    assert pushed.read("data/big.bin") == SMALL["data/big.bin"]


def test_the_present_version_is_freed_only_when_asked_for(pushed: Sandbox) -> None:
    result = collect(pushed, 0, pushed=True, frees_present=True)

    assert result.freed == 8
    assert pushed.loose() == []


def test_what_the_remote_lost_is_not_freed(pushed: Sandbox) -> None:
    largest = max(
        (pushed.top.parent / "store/packs").rglob("*"), key=lambda p: p.is_file() and p.stat().st_size
    )
    with pushed.repo() as repo:
        repo.remote().refresh()
        repo.remote().lost_packs()
    largest.unlink()

    collect(pushed, 0, pushed=True, frees_present=True)

    assert len(pushed.loose()) == 2


def test_a_segment_that_the_remote_lost_frees_nothing(pushed: Sandbox) -> None:
    shutil.rmtree(pushed.top.parent / "store/segments")

    with pytest.raises(Exception, match="segment"):
        collect(pushed, 0, pushed=True)

    assert len(pushed.loose()) == 2


def test_a_remote_that_cannot_be_asked_frees_nothing(pushed: Sandbox) -> None:
    (pushed.top.parent / "store").rename(pushed.top.parent / "elsewhere")

    with pytest.raises(RemoteError):
        collect(pushed, 0, pushed=True)

    assert len(pushed.loose()) == 2


def test_a_version_that_was_never_pushed_stays(pushed: Sandbox) -> None:
    pushed.write({"data/big.bin": noise(3, LARGE)})
    pushed.record(tag="v3")

    collect(pushed, 0, pushed=True, frees_present=True)

    assert len(pushed.loose()) == 1
    assert pushed.checkout(rev="v3").failed == ()


@pytest.fixture
def chunked(box: Sandbox) -> Sandbox:
    """Return a sandbox with a file of 9 MB, which lies in chunks on a remote."""
    with box.repo() as repo:
        remote_add(repo, "origin", str(box.top.parent / "store"))
    box.commit()
    box.write({"huge/huge.bin": noise(5, 9_000_000)})
    box.record("huge")
    with box.repo() as repo:
        push(repo)
    return box


def test_a_large_file_is_freed_when_all_its_chunks_are_there(chunked: Sandbox) -> None:
    collect(chunked, 0, pushed=True, frees_present=True)

    assert chunked.loose() == []
    with chunked.repo() as repo:
        assert fetch(repo).failed == ()


def test_a_large_file_of_which_a_chunk_is_lost_is_not_freed(chunked: Sandbox) -> None:
    packs = [p for p in (chunked.top.parent / "store/packs").rglob("*") if p.is_file()]
    max(packs, key=lambda p: p.stat().st_size).unlink()

    collect(chunked, 0, pushed=True, frees_present=True)

    assert [p.stat().st_size for p in chunked.loose()].count(9_000_000) == 1


# -- several repositories


def _neighbour(box: Sandbox) -> Sandbox:
    """Return another repository on the cache of *box*, with a version of its own."""
    other = new_sandbox(box.top.parent / "neighbour")
    (other.local / "config.toml").write_text(f'[cache]\ndir = "{box.cache}"\n')
    other.write({"data/theirs.bin": noise(7, LARGE)})
    other.record()
    return other


def test_another_repository_keeps_what_it_needs(box: Sandbox) -> None:
    other = _neighbour(box)

    result = collect(box, grace_s=0)

    assert result.repos == (str(box.top), str(other.top))
    shutil.rmtree(other.top / "data")
    assert other.checkout().failed == ()


def test_what_another_repository_cannot_fetch_is_not_freed(pushed: Sandbox) -> None:
    other = new_sandbox(pushed.top.parent / "neighbour")
    (other.local / "config.toml").write_text(f'[cache]\ndir = "{pushed.cache}"\n')
    other.write({"data/same.bin": SMALL["data/big.bin"]})
    other.record()

    collect(pushed, 0, pushed=True, frees_present=True)

    shutil.rmtree(other.top / "data")
    assert other.checkout().failed == ()


def test_a_repository_that_is_gone_stops_gc_until_it_is_forgotten(box: Sandbox) -> None:
    other = _neighbour(box)
    shutil.rmtree(other.top)

    with pytest.raises(UnprovenError, match="neighbour"):
        collect(box)
    with box.repo() as repo:
        assert gc_forget(repo, other.top).forgotten == (str(other.top),)

    assert collect(box).set_aside > 0


def test_forgetting_what_is_not_registered_names_those_that_are(box: Sandbox) -> None:
    with box.repo() as repo, pytest.raises(NoSuchPathError) as caught:
        gc_forget(repo, "nowhere")

    assert str(box.top) in caught.value.guesses


# -- links


def test_a_file_that_is_a_link_into_the_cache_keeps_its_content(empty_box: Sandbox) -> None:
    box = empty_box
    (box.local / "config.toml").write_text("[cache]\npack_below = 0\n")
    box.write({"data/linked.bin": noise(4, LARGE), "data/other.bin": noise(6, LARGE)})
    assert box.add(link="symlink").failed == ()
    assert (box.top / "data/linked.bin").is_symlink()
    (box.top / "data/other.bin").unlink()
    (box.top / "data.dv").unlink()
    box.git("reset", "-q", "--hard")
    shutil.rmtree(box.local / "record")

    collect(box, grace_s=0)

    assert box.read("data/linked.bin") == noise(4, LARGE)
    assert len(box.loose()) == 1


# -- a full disk


@pytest.fixture
def full_box(tmp_path: Path, isolated_machine: Path) -> Iterator[Sandbox]:
    """Give a sandbox with an abandoned version, on a file system of 4 MB that has no room left."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    mounting = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    box = new_sandbox(folder / "work", SMALL)
    abandon(box)
    fd = os.open(folder / "filler", os.O_CREAT | os.O_WRONLY)
    with pytest.raises(OSError, match="No space"):
        while True:
            os.write(fd, bytes(4096))
    os.close(fd)
    yield box
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_gc_without_a_grace_period_works_on_a_full_disk(full_box: Sandbox) -> None:
    before = len(full_box.loose())

    result = collect(full_box, grace_s=0)

    assert result.deleted == 4
    assert len(full_box.loose()) == before - 1
    assert restores(full_box)


def test_a_disk_too_full_to_set_anything_aside_says_what_works(box: Sandbox) -> None:
    abandon(box)

    class NoRoom(Disk):
        def mkdir(self, path: str | bytes, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    with Repo(str(box.top), clock=At(2), disk=NoRoom()) as repo, pytest.raises(DiskFullError) as caught:
        gc(repo)

    assert caught.value.hint == "dataver gc --now"
