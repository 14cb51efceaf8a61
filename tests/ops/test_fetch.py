"""`fetch`: what arrives in the cache, and what a reader leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.disk.disk import Clock
from dataver.ops.checkout import checkout
from dataver.ops.fetch import fetch
from dataver.ops.push import push
from dataver.repo import Repo
from tests.ops.exchange_bench import FILES, clone, git, new_project, packs, record, write


@pytest.fixture
def published(tmp_path: Path) -> Path:
    top = new_project(tmp_path / "churn")
    with Repo.open(str(top)) as repo:
        push(repo)
    return top


@pytest.fixture
def other(published: Path) -> Path:
    return clone(published, "other")


def test_a_fetch_counts_files_and_objects_and_leaves_the_workspace_alone(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        done = fetch(repo)

    assert (done.files, done.objects, done.packs, done.failed) == (4, 6, 1, ())
    assert not (other / "data").exists()


def test_a_second_fetch_reads_no_pack(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        fetch(repo)

    with Repo.open(str(other)) as repo:
        done = fetch(repo)

    assert (done.files, done.objects, done.packs) == (4, 0, 0)
    assert done.requests <= 4


def test_a_fetch_brings_the_secret(other: Path, published: Path) -> None:
    with Repo.open(str(other)) as repo:
        fetch(repo)
        found = repo.secret

    with Repo.open(str(published)) as repo:
        assert found == repo.secret


def test_a_fetch_after_the_cache_was_lost_brings_it_again(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        fetch(repo)
        for path in Path(repo.cache.folder, "packs").iterdir():
            path.unlink()

    with Repo.open(str(other)) as repo:
        done = fetch(repo)

    assert done.objects == 6


def test_a_path_fetches_only_what_lies_below_it(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        assert fetch(repo, ["data/train"]).files == 2


def test_a_path_inside_a_target_that_is_not_there_is_a_failure(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        done = fetch(repo, ["data/train", "data/nothing"])

    assert [(failure.path, failure.code) for failure in done.failed] == [(b"data/nothing", "no-such-path")]
    assert done.files == 2


def test_a_fetch_without_a_path_stays_within_a_partial_checkout(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        fetch(repo, ["data/train"])
        checkout(repo, None, ["data/train"])

        assert fetch(repo).files == 2


def test_all_versions_can_be_fetched_at_once(published: Path) -> None:
    write(published, {"data/a.txt": "two\n"})
    record(published, "data")
    with Repo.open(str(published)) as repo:
        push(repo, all_refs=True)

    with Repo.open(str(clone(published, "all"))) as repo:
        assert fetch(repo, all_refs=True).files == 2 * len(FILES)


def test_a_dry_run_brings_nothing(other: Path) -> None:
    with Repo.open(str(other)) as repo:
        done = fetch(repo, dry_run=True)

        assert (done.files, done.objects, done.dry_run) == (4, 6, True)
        assert repo.cache.packs(structure=False) == []


def test_a_fetch_changes_nothing_on_the_remote_but_its_own_file(other: Path, published: Path) -> None:
    store = published.parent / "store"
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}

    with Repo.open(str(other)) as repo:
        fetch(repo)
        mine = store / "clients" / repo.clone_id

    after = {path: path.read_bytes() for path in store.rglob("*") if path.is_file() and path != mine}
    assert after == before


def _news(published: Path, other: Path, text: str) -> None:
    """Push a version with one changed file, and let Git bring its pointer to *other*."""
    write(published, {"data/a.txt": text})
    record(published, "data")
    with Repo.open(str(published)) as repo:
        push(repo)
    git(other, "pull", "-q")


def test_one_new_file_costs_a_clone_that_knows_the_rest_six_requests(other: Path, published: Path) -> None:
    with Repo.open(str(other)) as repo:
        fetch(repo)
    _news(published, other, "two\n")

    with Repo.open(str(other)) as repo:
        done = fetch(repo)

    assert (done.objects, done.failed) == (3, ())
    assert done.requests <= 6


def test_a_clone_says_once_a_day_that_it_is_there(other: Path, published: Path) -> None:
    sizes = []
    for number, hours in enumerate((0, 1, 25, 24)):
        _news(published, other, f"{number}\n")
        with Repo(str(other), clock=_Later(hours)) as repo:
            fetch(repo)
            mine = published.parent / "store" / "clients" / repo.clone_id
        sizes.append(mine.read_text().splitlines()[-1])

    assert sizes == ["seq = 2", "seq = 2", "seq = 4", "seq = 5"]


class _Later(Clock):
    """A clock that runs some hours ahead."""

    def __init__(self, hours: float) -> None:
        self._ahead_s = hours * 3600

    def now_s(self) -> float:
        return super().now_s() + self._ahead_s


def test_a_harmed_remote_names_the_files_and_gives_exit_3(other: Path, published: Path) -> None:
    for path in packs(published.parent / "store"):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:20])

    with Repo.open(str(other)) as repo:
        done = fetch(repo)

    assert done.exit_status == 3
    assert {failure.path for failure in done.failed} == {b"data"}
