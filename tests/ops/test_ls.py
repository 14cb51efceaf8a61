"""`ls`: what a version holds."""

from __future__ import annotations

import shutil

from dataver.ops.ls import ls
from tests.workspace.sandbox import LARGE, Sandbox


def test_targets_are_one_row_each(box: Sandbox) -> None:
    with box.repo() as repo:
        rows = ls(repo).entries

    assert [(r.path, r.kind, r.files) for r in rows] == [(b"data", "folder", 6)]


def test_a_folder_shows_what_is_directly_in_it(box: Sandbox) -> None:
    with box.repo() as repo:
        rows = ls(repo, None, ["data"]).entries

    assert [(r.path, r.kind, r.files) for r in rows] == [
        (b"data/a.txt", "file", 1),
        (b"data/b.txt", "file", 1),
        (b"data/big.bin", "file", 1),
        (b"data/test", "folder", 1),
        (b"data/train", "folder", 2),
    ]
    assert rows[2].size == LARGE


def test_a_revision_is_listed_without_the_workspace(box: Sandbox) -> None:
    box.write({"data/new": "new"})
    box.record("data")
    shutil.rmtree(box.top / "data")

    with box.repo() as repo:
        rows = ls(repo, "v1", ["data/train", "data/*.txt"], recursive=True).entries

    assert {r.path for r in rows} == {b"data/a.txt", b"data/b.txt", b"data/train/1.csv", b"data/train/2.csv"}


def test_equal_folders_have_equal_checksums(box: Sandbox) -> None:
    shutil.copytree(box.top / "data/train", box.top / "data/copy")
    box.record("data")

    with box.repo() as repo:
        rows = {r.path: r.checksum for r in ls(repo, None, ["data"], checksum=True).entries}

    assert rows[b"data/copy"] == rows[b"data/train"] != rows[b"data/test"]


def test_a_path_that_means_nothing_is_an_error(box: Sandbox) -> None:
    with box.repo() as repo:
        assert ls(repo, None, ["data/never"]).exit_status == 2
        assert ls(repo, None, ["data/*.never"]).exit_status == 2
