"""`pull`: fetch and checkout as one, counted as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.ops.add import add
from dataver.ops.pull import pull
from dataver.ops.push import push
from dataver.repo import Repo
from tests.ops.exchange_bench import FILES, clone, new_project, packs, write


@pytest.fixture
def other(tmp_path: Path) -> Path:
    top = new_project(tmp_path / "churn")
    with Repo.open(str(top)) as repo:
        push(repo)
    return clone(top, "other")


def test_a_pull_brings_every_file(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        done = pull(repo)

    assert (done.files, done.total_files, done.patterns, done.failed) == (4, 4, (), ())
    assert {name: (other / name).read_text() for name in FILES} == FILES


def test_a_narrowed_pull_says_how_much_of_it_arrived(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        done = pull(repo, ["data/train"])

    assert (done.files, done.total_files, done.patterns) == (2, 4, ("data/train",))
    assert not (other / "data/a.txt").exists()


def test_files_and_bytes_are_those_of_the_version_in_the_workspace(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        pull(repo)
        write(other, {"data/a.txt": "staged\n"})
        add(repo, ["data"])

        done = pull(repo)

    assert (done.files, done.total_files) == (4, 4)
    assert done.size == sum(map(len, FILES.values())) + len("staged") - len("alpha")


def test_a_narrowed_pull_counts_the_bytes_of_what_it_was_narrowed_to(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        done = pull(repo, ["data/train", "data/train/1.csv", "data/a.txt"])

    wanted = ("data/train/1.csv", "data/train/2.csv", "data/a.txt")
    assert (done.files, done.size) == (3, sum(len(FILES[name]) for name in wanted))


def test_a_dry_run_says_what_would_be_checked_out(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        done = pull(repo, dry_run=True)

    assert {change.path: change.kind for change in done.checkout.planned} == {
        name.encode(): "added" for name in FILES
    }
    assert not (other / ".git/dataver/cache/packs").exists()


def test_a_dry_run_over_a_changed_file_says_that_it_would_be_refused(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        pull(repo)
    (other / "data/a.txt").write_text("precious\n")
    (other / "data/b.txt").unlink()

    with Repo.open(str(other)) as repo:
        done = pull(repo, dry_run=True)

    assert [failure.code for failure in done.failed] == ["would-overwrite"]


def test_a_second_pull_keeps_every_file(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        pull(repo)

    with Repo.open(str(other)) as repo:
        done = pull(repo)

    assert [(t.written, t.deleted, t.kept) for t in done.checkout.targets] == [(0, 0, 4)]
    assert done.fetch.objects == 0


def test_the_remote_can_be_asked_again_after_a_pull(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        pull(repo, ["data/train"])

        done = pull(repo, ["data/a.txt"])

    assert done.failed == ()
    assert (other / "data/a.txt").read_text() == FILES["data/a.txt"]


def test_a_dry_run_writes_nothing(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        done = pull(repo, dry_run=True)

    assert (done.files, done.fetch.objects) == (4, 6)
    assert not (other / "data").exists()


def test_a_change_that_is_not_saved_is_refused_and_kept(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        pull(repo)
    (other / "data/a.txt").write_text("precious\n")

    with Repo.open(str(other)) as repo:
        kept = pull(repo)
        (other / "data/b.txt").unlink()
        forced = pull(repo, force=True)

    assert kept.exit_status in (0, 6)
    assert forced.failed == ()
    assert {name: (other / name).read_text() for name in FILES} == FILES


def test_what_is_missing_everywhere_is_named_once(other: Path) -> None:
    for path in packs(other.parent / "store"):
        if b"alpha" in path.read_bytes():
            path.unlink()

    with Repo.open(str(other)) as repo:
        done = pull(repo)

    assert sorted(failure.path for failure in done.failed) == sorted(name.encode() for name in FILES)
    assert done.exit_status == 3
