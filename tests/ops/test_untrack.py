"""`untrack`: pointer and ignore line go, data and other lines stay."""

from __future__ import annotations

import pytest

from dataver.errors import NoSuchPathError
from dataver.ops.untrack import untrack
from tests.workspace.sandbox import Sandbox, picture


def test_the_data_stays_and_git_sees_it(box: Sandbox) -> None:
    box.write({".gitignore": box.read(".gitignore") + b"*.pyc\n"})
    before = picture(box.top / "data")

    with box.repo() as repo:
        untrack(repo, [b"data"])

    assert picture(box.top / "data") == before
    assert not (box.top / "data.dv").exists()
    assert box.read(".gitignore") == b"*.pyc\n"
    assert "?? data/" in box.git("status", "--short")
    assert not box.record_file().exists()


def test_a_dry_run_changes_nothing(box: Sandbox) -> None:
    before = picture(box.top)

    with box.repo() as repo:
        result = untrack(repo, [b"data"], dry_run=True)

    assert result.targets == (b"data",)
    assert picture(box.top, without=[".git"]) == {
        k: v for k, v in before.items() if not k.startswith(b".git/") and k != b".git"
    }


def test_a_path_inside_is_refused(box: Sandbox) -> None:
    with box.repo() as repo, pytest.raises(NoSuchPathError, match="inside"):
        untrack(repo, [b"data/a.txt"])


def test_what_was_untracked_can_be_added_again(box: Sandbox) -> None:
    before = box.read("data.dv")
    with box.repo() as repo:
        untrack(repo, [b"data"])

    box.add("data")

    assert box.read("data.dv") == before
