"""`mv`: target, pointer and data go together."""

from __future__ import annotations

import pytest

from dataver.errors import DataverError
from dataver.ops.mv import mv
from tests.workspace.sandbox import Sandbox, picture


def test_data_and_pointer_move_into_a_new_folder(box: Sandbox) -> None:
    before = picture(box.top / "data")

    with box.repo() as repo:
        result = mv(repo, "data", "deep/moved")

    assert (result.target, result.pointer) == (b"deep/moved", b"deep/moved.dv")
    assert picture(box.top / "deep/moved") == before
    assert not (box.top / "data").exists()
    assert box.read("deep/.gitignore") == b"/moved\n"
    assert box.changes("deep/moved") == {}


def test_into_a_folder_that_exists_the_name_stays(box: Sandbox) -> None:
    (box.top / "place").mkdir()

    with box.repo() as repo:
        mv(repo, "data", "place")

    assert (box.top / "place/data/a.txt").exists()


def test_without_the_data_here_the_pointer_and_what_is_remembered_move(box: Sandbox) -> None:
    other = box.clone("other")

    with other.repo() as repo:
        mv(repo, "data", "moved")

    assert other.read(".gitignore") == b"/moved\n"
    assert other.target("moved").state == "absent"


def test_a_sparse_checkout_stays_sparse(box: Sandbox) -> None:
    other = box.clone("other")
    other.checkout("data/train")

    with other.repo() as repo:
        mv(repo, "data", "moved")

    assert (other.target("moved").sparse, other.changes("moved")) == (("train",), {})


def test_a_pointer_that_git_does_not_know_moves_too(empty_box: Sandbox) -> None:
    empty_box.write({"data/x": "x"})
    empty_box.add("data")
    empty_box.git("reset", "-q")

    with empty_box.repo() as repo:
        mv(repo, "data", "deep/moved")

    assert empty_box.changes("deep/moved") == {}


@pytest.mark.parametrize(
    "target", ["data/inside", "data", "taken", "other/below", ".git/x", "x.dv", "../outside"]
)
def test_what_cannot_be_moved_stays(box: Sandbox, target: str) -> None:
    box.write({"other/x": "x", "taken": "file"})
    box.record("other")
    before = picture(box.top, without=[".git"])

    with box.repo() as repo, pytest.raises(DataverError):
        mv(repo, "data", target)

    assert picture(box.top, without=[".git"]) == before
