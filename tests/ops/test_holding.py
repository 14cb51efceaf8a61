"""What was read of a target before it was held is read again: another process may have changed it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from dataver.errors import LockTimeoutError
from dataver.ops.add import add
from dataver.ops.checkout import checkout
from dataver.ops.untrack import untrack
from dataver.repo import Repo
from tests.workspace.sandbox import Sandbox


def _before_the_lock(repo: Repo, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Let *act*, another process's work, end just before *repo* gets a target's lock."""
    lock = repo.lock
    acts = [act]

    def late(name: str, **options: Any) -> AbstractContextManager[None]:
        if name.startswith("add-") and acts:
            acts.pop()()
        return lock(name, **options)

    monkeypatch.setattr(repo, "lock", late)


def test_an_add_that_waited_keeps_what_another_one_added(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.write({"data/x.txt": "x\n", "data/y.txt": "y\n"})

    with box.repo() as repo:
        _before_the_lock(repo, monkeypatch, lambda: _added(box, "data/x.txt"))
        add(repo, ["data/y.txt"])

    assert {"x.txt", "y.txt"} <= set(box.entries())


def _added(box: Sandbox, path: str) -> None:
    with box.repo() as other:
        assert add(other, [box.top / path]).failed == ()


def test_a_checkout_that_waited_keeps_what_another_one_added(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.write({"data/a.txt": "changed\n"})

    with box.repo() as repo:
        _before_the_lock(repo, monkeypatch, lambda: _added(box, "data"))
        result = checkout(repo)

    assert result.failed == ()
    assert box.read("data/a.txt") == b"changed\n"


def test_a_checkout_that_waited_for_untrack_touches_nothing(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (box.top / "data/a.txt").unlink()

    def untracked() -> None:
        with box.repo() as other:
            untrack(other, [box.top / "data"])

    with box.repo() as repo:
        _before_the_lock(repo, monkeypatch, untracked)
        result = checkout(repo)

    assert [failure.code for failure in result.failed] == ["no-such-path"]
    assert not (box.top / "data/a.txt").exists()


def test_a_shared_cache_lock_may_be_asked_for_again_inside(box: Sandbox) -> None:
    with box.repo() as repo, repo.cache_lock(shared=True), repo.cache_lock(shared=True):
        pass


def test_an_exclusive_cache_lock_serves_the_same_repo_as_a_shared_one(box: Sandbox) -> None:
    with box.repo(overrides={"core.lock_timeout": "0"}) as repo:
        with repo.cache_lock(shared=False), repo.cache_lock(shared=True):
            pass
        with repo.cache_lock(shared=False):
            pass


def test_an_exclusive_cache_lock_keeps_every_other_repo_waiting(box: Sandbox) -> None:
    impatient = box.repo(overrides={"core.lock_timeout": "0"})

    with box.repo() as repo, repo.cache_lock(shared=False), impatient, pytest.raises(LockTimeoutError):
        add(impatient, ["data"])
