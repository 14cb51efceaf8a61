"""`remote stats` and what commands say of their costs: counted from the first request on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dataver.errors import NoRemoteError, UnknownRemoteError
from dataver.model.results import RemoteStatsResult
from dataver.ops.add import add
from dataver.ops.fetch import fetch
from dataver.ops.init import init
from dataver.ops.pull import pull
from dataver.ops.push import push
from dataver.ops.remote_stats import remote_stats
from dataver.ops.status import status
from dataver.repo import Repo
from dataver.transfer import costs
from tests.ops.exchange_bench import FILES, clone, git, new_project, packs, record, write


@pytest.fixture
def project(tmp_path: Path) -> Path:
    top = new_project(tmp_path / "churn")
    with Repo.open(str(top)) as repo:
        push(repo)
    return top


def _stats(top: Path) -> RemoteStatsResult:
    with Repo.open(str(top)) as repo:
        return remote_stats(repo)


def test_objects_are_counted_by_kind(project: Path) -> None:
    done = _stats(project)

    assert [(kind.what, kind.count) for kind in done.kinds] == [("blob", 4), ("leaf", 1), ("root", 1)]
    assert done.kinds[0].size == sum(map(len, FILES.values()))
    assert not done.is_sampled


def test_packs_segments_and_journal_are_counted_with_their_bytes(project: Path) -> None:
    store = project.parent / "store"

    done = _stats(project)

    assert (done.packs.count, done.packs.size) == (2, sum(pack.stat().st_size for pack in packs(store)))
    segments = list((store / "segments").iterdir())
    assert (done.segments.count, done.segments.size) == (1, segments[0].stat().st_size)
    entry = store / "journal/0000000000000001"
    assert (done.journal.count, done.journal.size, done.rows) == (1, entry.stat().st_size, 6)


def test_a_clean_remote_has_no_garbage_and_nobody_at_work(project: Path) -> None:
    done = _stats(project)

    assert (done.garbage_packs.count, done.garbage_segments.count, done.missing_packs.count) == (0, 0, 0)
    assert done.writers == ()


def test_a_pack_that_was_taken_away_is_missing(project: Path) -> None:
    packs(project.parent / "store")[0].unlink()

    done = _stats(project)

    assert (done.missing_packs.count, done.packs.count) == (1, 1)


def test_what_no_segment_names_is_garbage_with_its_bytes(project: Path) -> None:
    stray = project.parent / "store/packs/ab" / ("ab" * 32)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"x" * 100)
    (project.parent / "store/segments" / ("cd" * 32)).write_bytes(b"y" * 50)

    done = _stats(project)

    assert (done.garbage_packs.count, done.garbage_packs.size) == (1, 100)
    assert (done.garbage_segments.count, done.garbage_segments.size) == (1, 50)


def test_an_empty_remote_has_nothing_to_tell_an_estimate_from(tmp_path: Path) -> None:
    top = new_project(tmp_path / "churn")

    done = _stats(top)

    assert (done.kinds, done.estimate, done.files_per_pack) == ((), None, 0.0)


def test_the_estimate_follows_from_files_per_pack(project: Path) -> None:
    done = _stats(project)

    assert done.files_per_pack == 2.0
    assert done.estimate is not None
    assert 500_000 <= done.estimate.pull < 500_020
    assert done.estimate.push < 200


def test_without_a_remote_there_is_nothing_to_count(git_repo: Path) -> None:
    init(str(git_repo))

    with Repo.open(str(git_repo)) as repo, pytest.raises(NoRemoteError):
        remote_stats(repo)


def test_an_unknown_remote_is_refused(project: Path) -> None:
    with Repo.open(str(project)) as repo, pytest.raises(UnknownRemoteError):
        remote_stats(repo, "orign")


# -- what commands cost ------------------------------------------------------------------------------


def _requests(top: Path, verb: Callable[[Repo], object]) -> tuple[int, int]:
    """Return what *verb* says that it took, and what the bucket of its own repository counted."""
    with Repo.open(str(top)) as repo:
        done = verb(repo)
        said: int = done.requests  # type: ignore[attr-defined]
        return said, repo.remote().bucket.requests


@pytest.mark.parametrize("verb", [push, fetch, pull, remote_stats, lambda repo: status(repo, remote=True)])
def test_requests_count_from_the_first_one_on(project: Path, verb: Callable[[Repo], object]) -> None:
    said, counted = _requests(clone(project, "other"), verb)

    assert said == counted


def test_the_second_command_in_one_repository_counts_its_own_requests_only(project: Path) -> None:
    with Repo.open(str(project)) as repo:
        push(repo)
        before = repo.remote().bucket.requests
        done = push(repo)

        assert done.requests == repo.remote().bucket.requests - before


def test_status_asks_the_journal_once_for_all_targets(project: Path) -> None:
    for name in ("one", "two", "three"):
        write(project, {f"{name}/x.txt": name})
        record(project, name)
    with Repo.open(str(project)) as repo:
        push(repo)

    with Repo.open(str(project)) as repo:
        done = status(repo, remote=True)

    assert len(done.targets) == 4
    assert done.requests <= 6


@pytest.mark.parametrize("what", ["first", "changed", "nothing"])
def test_a_dry_run_of_push_foretells_its_requests(tmp_path: Path, what: str) -> None:
    top = new_project(tmp_path / "churn")
    if what != "first":
        with Repo.open(str(top)) as repo:
            push(repo)
    if what == "changed":
        write(top, {"data/a.txt": "changed\n"})
        record(top, "data")
    with Repo.open(str(top)) as repo:
        foretold = push(repo, dry_run=True)

    with Repo.open(str(top)) as repo:
        done = push(repo)

    assert abs(foretold.requests - done.requests) <= 2
    assert foretold.packs == done.packs


@pytest.mark.parametrize("verb", [fetch, pull])
def test_a_dry_run_of_fetch_and_pull_foretells_their_requests(
    project: Path, verb: Callable[..., object]
) -> None:
    foretold, _ = _requests(clone(project, "dry"), lambda repo: verb(repo, dry_run=True))

    took, _ = _requests(clone(project, "wet"), verb)

    assert abs(foretold - took) <= 2


def test_a_dry_run_foretells_the_reads_of_a_large_file(project: Path) -> None:
    write(project, {"data/large.txt": "".join(f"{number:09}\n" for number in range(900_000))})
    record(project, "data")
    with Repo.open(str(project)) as repo:
        push(repo)
    foretold, _ = _requests(clone(project, "dry"), lambda repo: fetch(repo, dry_run=True))

    took, _ = _requests(clone(project, "wet"), fetch)

    assert abs(foretold - took) <= 2


def test_the_formula_for_a_pull_holds_for_a_real_one(project: Path) -> None:
    stats = _stats(project)
    rows = stats.rows / 4

    took, _ = _requests(clone(project, "fresh"), pull)

    packs_per_file = 1 / stats.files_per_pack
    formula = costs.pull_of(
        4, packs_per_file=packs_per_file, rows_per_file=rows, segments=stats.segments.count
    )
    assert abs(took - formula) <= 2


def test_the_formula_for_a_push_holds_for_a_real_one(project: Path) -> None:
    write(project, {f"data/new/{number}": f"{number}\n" for number in range(100)})
    with Repo.open(str(project)) as repo:
        add(repo, ["data"])
    git(project, "commit", "-q", "-m", "More")

    took, _ = _requests(project, push)

    # Two packs: contents, and what names them.
    formula = costs.push_of(100, pack_size_per_file=100.0, rows_per_file=1.02, live_packs=2, page=1)
    assert abs(took - (formula + 1)) <= 2
