"""Garbage collection of a remote by the repositories that use it: real clones, a folder as the remote."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from dataver.errors import MissingObjectError, UnprovenError, UsageError
from dataver.formats.state import decode_seen
from dataver.ops.checkout import checkout
from dataver.ops.gc_remote import gc_remote
from dataver.ops.pull import pull
from dataver.ops.push import push
from dataver.repo import Repo
from tests.ops.exchange_bench import FILES, clone, git, new_project, packs, record, write

MONTH_S = 31 * 86_400


def age(store: Path, seconds: float = MONTH_S) -> None:
    """Make everything on the remote look that much older, as the store's clock tells it."""
    then = time.time() - seconds
    for path in store.rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))


def pushed(top: Path) -> None:
    with Repo.open(str(top)) as repo:
        assert push(repo).failed == ()


def forget_v1(top: Path) -> None:
    """Write data that shares little with v1, push it, and drop v1 from all history."""
    write(top, {"data/a.txt": "other\n", "data/train/1.csv": "new\n"})
    record(top, "data")
    pushed(top)
    git(top, "tag", "-d", "v1")
    git(top, "checkout", "-q", "--orphan", "fresh")
    git(top, "commit", "-q", "-m", "Begin anew")
    git(top, "branch", "-q", "-D", "main")
    git(top, "reflog", "expire", "--expire=now", "--all")
    git(top, "gc", "-q", "--prune=now")


@pytest.fixture
def top(tmp_path: Path, isolated_machine: Path) -> Path:
    """Return a repository whose v1 was pushed and is in no history any more."""
    made = new_project(tmp_path / "work")
    pushed(made)
    forget_v1(made)
    age(tmp_path / "store")
    return made


def test_a_fresh_clone_restores_what_is_kept_and_the_rest_is_gone(top: Path, tmp_path: Path) -> None:
    with Repo.open(str(top)) as repo:
        done = gc_remote(repo, is_dry=False, grace_s=0)

    there = clone(top, "fresh")
    with Repo.open(str(there)) as repo:
        assert pull(repo).failed == ()
    assert (there / "data/a.txt").read_text() == "other\n"
    assert (there / "data/b.txt").read_text() == FILES["data/b.txt"]
    assert done.failed == ()
    assert done.deleted > 0


def test_by_default_nothing_is_deleted_and_nothing_is_written(top: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    before = sorted((path, path.stat().st_mtime) for path in store.rglob("*"))

    with Repo.open(str(top)) as repo:
        told = gc_remote(repo, grace_s=0)

    assert told.dry_run
    assert told.deleted > 0
    assert told.largest
    assert sorted((path, path.stat().st_mtime) for path in store.rglob("*")) == before


def test_what_was_pushed_lately_stays_by_default(tmp_path: Path, isolated_machine: Path) -> None:
    made = new_project(tmp_path / "work")
    pushed(made)
    forget_v1(made)
    before = packs(tmp_path / "store")

    with Repo.open(str(made)) as repo:
        done = gc_remote(repo, is_dry=False)

    assert packs(tmp_path / "store") == before
    assert done.seq == 0


def test_the_last_entry_is_remembered_and_copies_of_removed_segments_are_gone(
    top: Path, tmp_path: Path
) -> None:
    with Repo.open(str(top)) as repo:
        done = gc_remote(repo, is_dry=False, grace_s=0)
        remote = repo.remote()
        live = {ref.segment_id.hex() for ref in remote.live_segments()}
        remotes = Path(repo.common_folder) / "remotes"

    seen = decode_seen((remotes / f"{remote.remote_id}.toml").read_bytes(), remote.remote_id)
    copies = {path.name.split("-")[1].split(".")[0] for path in remotes.rglob("segment-*")}
    assert seen.seq == done.seq
    assert copies <= live


def test_what_another_clone_pushed_lately_stays(top: Path, tmp_path: Path) -> None:
    other = clone(top, "other")
    with Repo.open(str(other)) as repo:
        pull(repo)
    write(other, {"data/mine.txt": "mine\n"})
    record(other, "data")
    pushed(other)

    with Repo.open(str(top)) as repo:
        gc_remote(repo, is_dry=False, grace_s=86_400)

    with Repo.open(str(clone(other, "third"))) as repo:
        assert pull(repo).failed == ()


def test_another_repository_on_the_remote_refuses_until_it_is_asked(top: Path, tmp_path: Path) -> None:
    (tmp_path / "store/repos" / ("ab" * 16)).write_bytes(b"")

    with Repo.open(str(top)) as repo, pytest.raises(UnprovenError, match="ab" * 16) as caught:
        gc_remote(repo, is_dry=False, grace_s=0)

    assert "--repo" in caught.value.hint


def test_another_clone_that_is_asked_keeps_its_versions(tmp_path: Path, isolated_machine: Path) -> None:
    made = new_project(tmp_path / "work")
    pushed(made)
    other = clone(made, "other")
    forget_v1(made)
    age(tmp_path / "store")

    with Repo.open(str(made)) as repo:
        done = gc_remote(repo, is_dry=False, grace_s=0, repos=[other])

    with Repo.open(str(other)) as repo:
        assert pull(repo).failed == ()
    assert (other / "data/a.txt").read_text() == FILES["data/a.txt"]
    assert str(other) in done.repos


def test_a_version_that_was_never_pushed_refuses_and_is_named(top: Path, tmp_path: Path) -> None:
    write(top, {"data/c.txt": "never pushed\n"})
    record(top, "data")
    other = clone(top, "other")
    before = packs(tmp_path / "store")

    with Repo.open(str(other)) as repo, pytest.raises(MissingObjectError, match="data") as caught:
        gc_remote(repo, is_dry=False, grace_s=0)

    assert "nothing was deleted" in caught.value.message
    assert "Change data" in caught.value.hint
    assert packs(tmp_path / "store") == before


@pytest.mark.parametrize("grace_s", [-1, 30 * 86_400 + 1])
def test_a_grace_period_that_the_journal_cannot_keep_is_refused(top: Path, grace_s: int) -> None:
    with Repo.open(str(top)) as repo, pytest.raises(UsageError, match="30 days"):
        gc_remote(repo, grace_s=grace_s)


def test_what_may_not_be_deleted_is_named(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataver.disk.disk import Disk

    def denied(self: Disk, path: str, **where: int) -> None:
        raise PermissionError(13, "denied", path)

    with Repo.open(str(top)) as repo:
        monkeypatch.setattr(Disk, "unlink", denied)
        done = gc_remote(repo, is_dry=False, grace_s=0)

    assert [failure.code for failure in done.failed] == ["access-denied"]
    assert "packs/" in done.failed[0].message
    assert done.exit_status == 4


def test_what_a_broken_upload_left_in_the_folder_is_gone(top: Path, tmp_path: Path) -> None:
    stray = tmp_path / "store/packs/aa/.dataver-tmp-0011223344556677"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"half")
    os.utime(stray, (1, 1))

    with Repo.open(str(top)) as repo:
        gc_remote(repo, is_dry=False, grace_s=0)

    assert not stray.exists()


def test_a_push_of_what_went_sends_it_again(top: Path, tmp_path: Path) -> None:
    with Repo.open(str(top)) as repo:
        gc_remote(repo, is_dry=False, grace_s=0)
    write(top, FILES)
    record(top, "data")

    pushed(top)

    there = clone(top, "fresh")
    shutil.rmtree(top / ".git/dataver/cache")
    with Repo.open(str(there)) as repo:
        assert pull(repo).failed == ()
        assert checkout(repo).failed == ()
    assert (there / "data/a.txt").read_text() == FILES["data/a.txt"]
