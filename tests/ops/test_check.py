"""`check`: every object of every version that commits name is looked up on the remote."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dataver.errors import NoRemoteError, NoSuchPathError, UnknownRevisionError, UsageError
from dataver.model.guarding import CheckResult
from dataver.ops.check import check
from dataver.ops.init import init
from dataver.ops.push import push
from dataver.repo import Repo
from tests.ops.exchange_bench import clone, git, new_project, packs, record, write


@pytest.fixture
def pushed(tmp_path: Path) -> Path:
    top = new_project(tmp_path / "churn")
    with Repo.open(str(top)) as repo:
        push(repo)
    return top


def _check(top: Path, *paths: str, **asked: str) -> CheckResult:
    with Repo.open(str(top)) as repo:
        return check(repo, paths, refs=asked.get("refs"), remote=asked.get("remote"))


def _change(top: Path, text: str = "changed\n") -> str:
    write(top, {"data/a.txt": text})
    record(top, "data")
    return git(top, "rev-parse", "HEAD").strip()


def test_what_was_pushed_is_there(pushed: Path) -> None:
    done = _check(pushed)

    assert (done.exit_status, done.versions, done.lacking, done.refs) == (0, 1, (), "HEAD")


def test_a_clone_without_any_data_can_ask(pushed: Path) -> None:
    there = clone(pushed, "fresh")

    done = _check(there)

    assert (done.exit_status, done.versions) == (0, 1)
    assert not (there / ".git" / "dataver" / "cache" / "packs").exists()


def test_no_pack_can_vanish_unnoticed(tmp_path: Path) -> None:
    top = new_project(tmp_path / "churn")
    # Above 8 MiB: a recipe and its chunks instead of a blob.
    (top / "data" / "large.bin").write_bytes(bytes(range(256)) * 40_000)
    record(top, "data")
    with Repo.open(str(top)) as repo:
        push(repo)
    unnoticed = []

    for pack in packs(tmp_path / "store"):
        away = tmp_path / "away"
        shutil.move(pack, away)
        if _check(top).exit_status != 1:
            unnoticed.append(pack.name)
        shutil.move(away, pack)

    assert (unnoticed, _check(top).exit_status) == ([], 0)


def test_what_is_not_pushed_is_named_with_its_commit(pushed: Path) -> None:
    commit = _change(pushed)

    done = _check(pushed)

    assert [(one.path, one.commit, one.author) for one in done.lacking] == [(b"data", commit, "Test")]
    assert [(f.path, f.code, f.exit_status) for f in done.failed] == [(b"data", "not-pushed", 1)]


def test_where_the_tree_is_here_the_files_are_named(pushed: Path) -> None:
    _change(pushed)

    done = _check(pushed)

    assert [(one.files, one.paths) for one in done.lacking] == [(1, (b"data/a.txt",))]


def test_where_no_tree_is_to_be_had_all_files_count(pushed: Path) -> None:
    _change(pushed)

    done = _check(clone(pushed, "fresh"))

    assert [(one.files, one.paths) for one in done.lacking] == [(4, ())]


def test_a_lost_pack_of_content_names_the_files(pushed: Path) -> None:
    _change(pushed)
    before = set(packs(pushed.parent / "store"))
    with Repo.open(str(pushed)) as repo:
        push(repo)
    for pack in set(packs(pushed.parent / "store")) - before:
        if b"changed" in pack.read_bytes():
            pack.unlink()

    done = _check(pushed)

    assert [(one.files, one.paths) for one in done.lacking] == [(1, (b"data/a.txt",))]


def test_a_range_finds_versions_that_head_has_no_more(pushed: Path) -> None:
    first = _change(pushed, "first\n")
    _change(pushed, "second\n")
    with Repo.open(str(pushed)) as repo:
        push(repo)

    head, whole = _check(pushed), _check(pushed, refs="v1..HEAD")

    assert (head.exit_status, whole.exit_status) == (0, 1)
    assert [one.commit for one in whole.lacking] == [first]


def test_a_range_says_nothing_of_what_is_older(pushed: Path) -> None:
    _change(pushed, "first\n")
    git(pushed, "tag", "base")
    git(pushed, "commit", "-q", "--allow-empty", "-m", "Code")

    done = _check(pushed, refs="base..HEAD")

    assert (done.exit_status, done.versions) == (0, 0)


def test_all_means_every_branch(pushed: Path) -> None:
    git(pushed, "switch", "-q", "-c", "side")
    commit = _change(pushed)
    git(pushed, "switch", "-q", "main")
    with Repo.open(str(pushed)) as repo:
        done = check(repo, all_refs=True)

    assert [one.commit for one in done.lacking] == [commit]


def test_a_pointer_that_cannot_be_read_fails_the_range(pushed: Path) -> None:
    write(pushed, {"data.dv": "<<<<<<< HEAD\n"})
    git(pushed, "commit", "-qam", "Broken")

    done = _check(pushed, refs="v1..HEAD")

    assert [(f.path, f.exit_status) for f in done.failed] == [(b"data", 3)]


def test_paths_narrow_it_to_targets(pushed: Path) -> None:
    write(pushed, {"other/x": "x\n"})
    record(pushed, "other")

    assert (_check(pushed, "data").exit_status, _check(pushed, "other").exit_status) == (0, 1)


def test_a_tracked_path_that_no_commit_of_the_range_touched_is_no_mistake(pushed: Path) -> None:
    git(pushed, "commit", "-q", "--allow-empty", "-m", "Code")

    assert _check(pushed, "data", refs="v1..HEAD").versions == 0


def test_a_path_that_matches_nothing_is_a_mistake(pushed: Path) -> None:
    with pytest.raises(NoSuchPathError):
        _check(pushed, "nothing", refs="v1..HEAD")


def test_an_unknown_revision_is_a_mistake(pushed: Path) -> None:
    with pytest.raises(UnknownRevisionError):
        _check(pushed, refs="nowhere..HEAD")


def test_two_ways_to_name_commits_are_one_too_many(pushed: Path) -> None:
    with Repo.open(str(pushed)) as repo, pytest.raises(UsageError):
        check(repo, refs="v1..HEAD", all_refs=True)


def test_without_a_remote_there_is_nothing_to_ask(git_repo: Path) -> None:
    init(str(git_repo))
    git(git_repo, "commit", "-q", "-m", "Begin")

    with pytest.raises(NoRemoteError):
        _check(git_repo)


def test_nothing_is_written_to_the_remote(pushed: Path) -> None:
    store = pushed.parent / "store"
    before = sorted((str(p), p.stat().st_mtime_ns) for p in store.rglob("*"))

    _check(pushed, refs="HEAD")

    assert sorted((str(p), p.stat().st_mtime_ns) for p in store.rglob("*")) == before
