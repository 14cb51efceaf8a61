"""The small verbs: `cat`, `ls`, `mv`, `untrack`."""

import pytest

from tests.e2e.project import Project, picture


def test_cat_prints_a_file_of_an_older_version(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n"})
    tracked.record("data")

    assert tracked.run("cat", "v1:data/a.txt").stdout == "alpha\n"


def test_cat_of_a_path_prints_the_tracked_file(tracked: Project) -> None:
    assert tracked.run("cat", "data/a.txt").stdout == "alpha\n"


def test_cat_of_a_path_that_is_not_there_is_an_error(tracked: Project) -> None:
    assert "data/none.txt" in tracked.run("cat", "v1:data/none.txt", expect=2).stderr


def test_ls_lists_every_file_below(tracked: Project) -> None:
    entries = tracked.ask("ls", "-R", "data")["entries"]

    assert {entry["path"] for entry in entries if entry["kind"] == "file"} == {
        "data/a.txt",
        "data/b.txt",
        "data/big.bin",
        "data/train/1.csv",
        "data/train/2.csv",
        "data/test/3.csv",
    }


def test_ls_without_a_path_lists_what_is_tracked(tracked: Project) -> None:
    assert [entry["path"].rstrip("/") for entry in tracked.ask("ls")["entries"]] == ["data"]


def test_ls_of_a_revision_lists_what_was_there(tracked: Project) -> None:
    (tracked.root / "data/a.txt").unlink()
    tracked.record("data")

    assert "data/a.txt" in {entry["path"] for entry in tracked.ask("ls", "-R", "v1", "data")["entries"]}


def test_equal_folders_have_equal_checksums(project: Project) -> None:
    project.write({"data/x/f.txt": "same\n", "data/y/f.txt": "same\n", "data/z/f.txt": "other\n"})
    project.record("data")

    entries = project.ask("ls", "--checksum", "data")["entries"]

    sums = {entry["path"].rstrip("/"): entry["checksum"] for entry in entries}
    assert sums["data/x"] == sums["data/y"] != sums["data/z"]


@pytest.mark.parametrize("path", ["data", "data/train"])
def test_ls_of_a_fresh_clone_works_after_a_fetch(published: Project, path: str) -> None:
    other = published.clone("other")
    other.run("fetch")

    assert other.ask("ls", "-R", path)["entries"] == published.ask("ls", "-R", path)["entries"]


def test_mv_moves_data_pointer_and_ignore_line(tracked: Project) -> None:
    before = picture(tracked.root / "data")

    tracked.run("mv", "data", "inputs")

    assert picture(tracked.root / "inputs") == before
    assert not (tracked.root / "data").exists()
    assert tracked.git("check-ignore", "inputs").strip() == "inputs"
    assert tracked.target("inputs")["state"] == "clean"


def test_mv_into_an_existing_path_is_refused(tracked: Project) -> None:
    tracked.write({"inputs/x.txt": "x\n"})

    assert tracked.run("mv", "data", "inputs/x.txt", expect=None).exit in (2, 6)
    assert tracked.read("inputs/x.txt") == "x\n"
    assert tracked.target()["state"] == "clean"


def test_untrack_keeps_the_data_and_removes_pointer_and_ignore_line(tracked: Project) -> None:
    before = picture(tracked.root / "data")

    tracked.run("untrack", "data")

    assert picture(tracked.root / "data") == before
    assert not (tracked.root / "data.dv").exists()
    assert tracked.git("check-ignore", "data", expect=1) == ""


def test_untrack_dry_run_changes_nothing(tracked: Project) -> None:
    tracked.run("untrack", "--dry-run", "data")

    assert (tracked.root / "data.dv").exists()
    assert tracked.target()["state"] == "clean"
