"""`diff`: two versions, or one and the workspace, file by file."""

from __future__ import annotations

import os
import shutil

import pytest

from dataver.model.results import DiffResult
from dataver.ops.diff import diff
from tests.workspace.sandbox import Sandbox


@pytest.fixture
def two(box: Sandbox) -> Sandbox:
    box.write({"data/a.txt": "alpha two\n", "data/new.txt": "new\n"})
    (box.top / "data/train/1.csv").rename(box.top / "data/test/1.csv")
    (box.top / "data/b.txt").unlink()
    box.record("data", tag="v2")
    return box


def _told(result: DiffResult) -> dict[str, str]:
    return {os.fsdecode(c.path): c.kind for t in result.targets for c in t.changes}


EXPECTED = {
    "data/a.txt": "modified",
    "data/b.txt": "deleted",
    "data/new.txt": "added",
    "data/test/1.csv": "renamed",
}


def test_two_versions_are_compared_without_the_workspace(two: Sandbox) -> None:
    shutil.rmtree(two.top / "data")

    assert _told(two.diff("v1", "v2")) == EXPECTED


def test_a_version_is_compared_with_the_workspace(two: Sandbox) -> None:
    two.write({"data/more.txt": "more\n"})

    assert _told(two.diff("v1")) == {**EXPECTED, "data/more.txt": "added"}
    assert _told(two.diff()) == {"data/more.txt": "added"}


def test_the_other_way_round_is_the_opposite(two: Sandbox) -> None:
    assert _told(two.diff("v2", "v1"))["data/b.txt"] == "added"


def test_a_path_narrows_it(two: Sandbox) -> None:
    assert _told(two.diff("v1", "v2", "data/test")) == {"data/test/1.csv": "renamed"}
    assert _told(two.diff("v1", "v2", "data/*.txt")).keys() == {"data/a.txt", "data/b.txt", "data/new.txt"}


def test_a_path_that_means_nothing_is_an_error(two: Sandbox) -> None:
    assert two.diff("v1", "v2", "data/never").exit_status == 2


def test_a_path_that_only_one_version_has_is_none(two: Sandbox) -> None:
    assert two.diff("v1", "v2", "data/b.txt").exit_status == 0


def test_folders_are_summed_up_with_their_checksums(two: Sandbox) -> None:
    with two.repo() as repo:
        result = diff(repo, "v1", "v2", folders=True)

    folders = {f.path: f for f in result.targets[0].folders}
    top, test = folders[b"data"], folders[b"data/test"]
    assert (top.added, top.modified, top.deleted, top.renamed) == (1, 1, 1, 1)
    assert test.old_checksum != test.new_checksum


def test_one_version_without_its_tree_stops_no_other_target(two: Sandbox) -> None:
    two.write({"other/x": "x"})
    two.record("other", tag="v3")
    two.write({"other/x": "y", "data.dv": two.read("data.dv").replace(b'tree = "', b'tree = "f')[:-1]})

    result = two.diff()

    assert _told(result) == {"other/x": "modified"}
    assert [f.path for f in result.failed] == [b"data"]
