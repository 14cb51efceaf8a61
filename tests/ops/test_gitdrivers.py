"""What Git's diff and merge drivers are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.errors import ConflictError
from dataver.ops.gitdrivers import diff_text, merge
from dataver.ops.textconv import summary_text
from tests.workspace.sandbox import Sandbox


@pytest.fixture
def files(box: Sandbox, tmp_path: Path) -> tuple[str, str, str]:
    """Return pointer files of base, ours and theirs; both sides added a file, theirs changed a.txt too."""
    found = [tmp_path / name for name in ("base", "ours", "theirs")]
    found[0].write_bytes(box.read("data.dv"))
    box.write({"data/ours": "ours"})
    box.add("data")
    found[1].write_bytes(box.read("data.dv"))
    (box.top / "data/ours").unlink()
    box.write({"data/theirs": "theirs", "data/a.txt": "theirs"})
    box.add("data")
    found[2].write_bytes(box.read("data.dv"))
    return str(found[0]), str(found[1]), str(found[2])


def test_a_diff_names_files_and_sums_them_up(box: Sandbox, files: tuple[str, str, str]) -> None:
    with box.repo() as repo:
        text = diff_text(repo, "data.dv", files[0], files[2])

    assert "+1 file" in text
    assert "a.txt" in text
    assert "theirs" in text


def test_a_diff_without_the_tree_says_what_to_do(box: Sandbox, files: tuple[str, str, str]) -> None:
    box.drop_cache()

    with box.repo() as repo:
        text = diff_text(repo, "data.dv", files[0], files[2])

    assert "hint: " in text


def test_two_sides_that_agree_are_merged(box: Sandbox, files: tuple[str, str, str]) -> None:
    with box.repo() as repo:
        assert merge(repo, *files, "data.dv") == 0

    box.write({"data.dv": Path(files[1]).read_bytes()})
    assert {"ours", "theirs"} <= set(box.entries())
    assert box.pointer().files == 8


def test_two_sides_that_exclude_each_other_leave_ours(box: Sandbox, files: tuple[str, str, str]) -> None:
    box.write({"data/a.txt": "another"})
    box.add("data")
    Path(files[1]).write_bytes(box.read("data.dv"))
    before = Path(files[1]).read_bytes()

    with box.repo() as repo, pytest.raises(ConflictError, match=r"a\.txt"):
        merge(repo, *files, "data.dv")

    assert Path(files[1]).read_bytes() == before


def test_a_summary_never_fails(box: Sandbox) -> None:
    assert "6 files" in summary_text(box.read("data.dv"))
    assert summary_text(b"\xff rubbish")
