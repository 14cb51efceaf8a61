"""A push and an erasure record that meet: in whatever order, nothing denied is live on the remote then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dataver.errors import OfflineError
from dataver.formats import segment
from dataver.model.names import ObjectName, blob_name
from dataver.ops.pull import pull
from dataver.ops.push import push
from dataver.repo import Repo
from tests.erasure.nowhere import nowhere
from tests.erasure.records_at_hand import deny, oid_of
from tests.ops.exchange_bench import clone, new_project, record, write

SECRET = "Erika Mustermann was born in 1964\n"


class Reporting:
    """One stage: calls what it was given whenever it moves on."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def advance(self, count: int = 1, size: int = 0) -> None:
        self._act()

    def __enter__(self) -> Reporting:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class AtFirstPack:
    """Does something once, when the first pack of a push has arrived."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act: Callable[[], object] | None = act

    def task(self, label: str, *, total: int = 0, size: int = 0) -> Reporting:
        return Reporting(self._once if label == "Pushing" else lambda: None)

    def note(self, text: str) -> None:
        return None

    def _once(self) -> None:
        act, self._act = self._act, None
        if act is not None:
            act()


class Killed(BaseException):
    """Stands for the end of the process."""


def live_names(top: Path) -> set[ObjectName]:
    with Repo.open(str(top)) as repo:
        remote = repo.remote()
        remote.refresh()
        return {name for _, rows in remote.segment_rows() for name in segment.names_of(rows)}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    top = new_project(tmp_path / "churn")
    with Repo.open(str(top)) as repo:
        push(repo)
    return top


@pytest.fixture
def other(project: Path) -> Path:
    """A second clone with content of its own that is not pushed yet."""
    top = clone(project, "other")
    with Repo.open(str(top)) as repo:
        pull(repo)
    write(top, {"data/users/mail.txt": SECRET, "data/own.txt": "own\n"})
    record(top, "data")
    return top


def check_clean(project: Path, other: Path) -> None:
    """Check that the other files arrived, and that nothing of the person is live, here or there."""
    names = live_names(project)
    assert blob_name(oid_of(SECRET)) not in names
    assert blob_name(oid_of("own\n")) in names
    fresh = clone(other, "fresh")
    with Repo.open(str(fresh)) as repo:
        done = pull(repo)
    assert done.failed == ()
    assert (fresh / "data/own.txt").read_text() == "own\n"
    marks: dict[str, list[bytes]] = {
        "contents": [b"Mustermann"],
        "names": [b"users/mail"],
        "oids": [oid_of(SECRET)],
    }
    assert nowhere([fresh, other], **marks) == []


def test_a_record_that_comes_while_a_push_is_under_way_is_obeyed_by_it(project: Path, other: Path) -> None:
    with Repo.open(str(other)) as repo:
        done = push(repo, progress=AtFirstPack(lambda: deny(project, SECRET)))

    assert (done.failed, "erased" in {w.code for w in done.warnings}) == ((), True)
    check_clean(project, other)


@pytest.mark.parametrize("error", [Killed(), OfflineError("memory://", "it went away")])
def test_what_a_broken_push_stored_before_a_record_came_is_not_taken_over(
    project: Path, other: Path, error: BaseException
) -> None:
    def end() -> None:
        raise error

    with Repo.open(str(other)) as repo, pytest.raises(type(error)):
        push(repo, progress=AtFirstPack(end))
    deny(project, SECRET)

    with Repo.open(str(other)) as repo:
        done = push(repo)

    assert done.failed == ()
    check_clean(project, other)


def test_a_push_after_the_record_leaves_out_what_it_denies(project: Path, other: Path) -> None:
    deny(project, SECRET)

    with Repo.open(str(other)) as repo:
        done = push(repo)

    assert done.failed == ()
    assert not (other / "data/users").exists()
    check_clean(project, other)
