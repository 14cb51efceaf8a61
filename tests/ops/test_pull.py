"""`pull`: fetch and checkout as one, counted as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.ops.pull import pull
from dataver.ops.push import push
from dataver.repo import Repo
from tests.ops.exchange_bench import FILES, clone, new_project, packs


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
