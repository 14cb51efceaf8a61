"""`checkout` never destroys what the cache cannot give back, and never leaves the folder."""

import os
import shutil
from pathlib import Path

import pytest

from tests.e2e.project import Project, blob, picture


@pytest.fixture
def two(tracked: Project) -> Project:
    """Give a project at tag v2, which changed one file, added one and removed one since v1."""
    tracked.write({"data/a.txt": "alpha two\n", "data/new.txt": "new\n"})
    (tracked.root / "data/b.txt").unlink()
    tracked.record("data", tag="v2")
    return tracked


def _trash(project: Project) -> list[bytes]:
    return [path.read_bytes() for path in (project.local / "trash").rglob("*") if path.is_file()]


def test_a_change_that_is_not_in_the_cache_stops_checkout(two: Project) -> None:
    two.write({"data/a.txt": "precious\n"})

    result = two.run("--json", "checkout", "v1", expect=6)

    assert set(result.failed.values()) == {"would-overwrite"}
    assert two.read("data/a.txt") == "precious\n"


def test_the_file_that_stops_checkout_is_named(two: Project) -> None:
    two.write({"data/a.txt": "precious\n"})

    assert "data/a.txt" in two.run("checkout", "v1", expect=6).stderr
    assert "data/a.txt" in two.run("--json", "checkout", "v1", expect=6).stdout


def test_the_hint_names_how_to_keep_and_how_to_discard(two: Project) -> None:
    two.write({"data/a.txt": "precious\n"})

    text = two.run("checkout", "v1", expect=6).text

    assert "dataver add" in text
    assert "dataver checkout --force" in text


def test_force_puts_the_old_file_into_the_trash(two: Project) -> None:
    two.write({"data/a.txt": "precious\n"})

    two.run("checkout", "--force")

    assert two.read("data/a.txt") == "alpha two\n"
    assert b"precious\n" in _trash(two)


def test_a_change_that_is_in_the_cache_may_be_overwritten(two: Project) -> None:
    two.write({"data/a.txt": "alpha\n"})

    two.run("checkout")

    assert two.read("data/a.txt") == "alpha two\n"


def test_a_new_file_in_the_way_of_an_older_one_stops_checkout(two: Project) -> None:
    two.write({"data/b.txt": "not tracked\n"})

    two.run("checkout", "v1", expect=6)

    assert two.read("data/b.txt") == "not tracked\n"


def test_an_untracked_file_survives(two: Project) -> None:
    two.write({"data/notes.txt": "notes\n"})

    two.run("checkout", "v1")

    assert two.read("data/notes.txt") == "notes\n"


def test_an_ignored_file_survives_even_force(two: Project) -> None:
    two.write({".dataverignore": "*.log\n", "data/run.log": "log\n"})

    two.run("checkout", "--force", "v1")

    assert two.read("data/run.log") == "log\n"


def test_a_folder_that_holds_an_untracked_file_stays(tracked: Project) -> None:
    shutil.rmtree(tracked.root / "data/train")
    tracked.record("data", tag="v2")
    tracked.run("checkout", "v1")
    tracked.write({"data/train/notes.txt": "notes\n"})

    tracked.run("checkout", "v2")

    assert sorted(os.listdir(tracked.root / "data/train")) == ["notes.txt"]


def test_a_folder_that_the_revision_lacks_goes_when_it_is_empty(two: Project) -> None:
    two.write({"data/later/x.txt": "x\n"})
    two.record("data")

    two.run("checkout", "v1")

    assert not (two.root / "data/later").exists()


def test_checkout_of_a_revision_changes_no_pointer(two: Project) -> None:
    two.run("checkout", "v1")

    assert two.git("status", "--porcelain") == ""
    assert two.read("data/a.txt") == "alpha\n"


def test_after_checkout_of_a_revision_status_says_where_the_workspace_is(two: Project) -> None:
    two.run("checkout", "v1")

    assert two.target()["at"] == "v1"


def test_a_path_restores_that_file_only(two: Project) -> None:
    (two.root / "data/a.txt").unlink()
    (two.root / "data/new.txt").unlink()

    two.run("checkout", "data/a.txt")

    assert (two.root / "data/a.txt").exists()
    assert not (two.root / "data/new.txt").exists()


def test_dry_run_changes_nothing_and_counts(two: Project) -> None:
    before = picture(two.root / "data")

    data = two.ask("checkout", "--dry-run", "v1")

    assert picture(two.root / "data") == before
    assert data["dry_run"] is True
    assert [(target["written"], target["deleted"]) for target in data["targets"]] == [(2, 1)]


def test_to_puts_another_version_beside_the_present_one(two: Project, tmp_path: Path) -> None:
    before = picture(two.root / "data")

    two.run("checkout", "v1", "--to", str(tmp_path / "old"))

    found = list((tmp_path / "old").rglob("a.txt"))
    assert [path.read_text() for path in found] == ["alpha\n"]
    assert picture(two.root / "data") == before


def test_a_missing_object_is_listed_and_the_others_are_checked_out(two: Project) -> None:
    two.loose("data/big.bin").unlink()
    shutil.rmtree(two.root / "data")

    result = two.run("--json", "checkout", expect=3)

    assert result.failed == {"data/big.bin": "missing-object"}
    assert two.read("data/a.txt") == "alpha two\n"


def test_a_missing_object_in_one_pointer_does_not_stop_another(two: Project) -> None:
    two.write({"other/x.txt": "x\n"})
    two.record("other")
    two.loose("data/big.bin").unlink()
    (two.root / "data/big.bin").unlink()
    (two.root / "other/x.txt").unlink()

    two.run("checkout", expect=3)

    assert two.read("other/x.txt") == "x\n"


def test_a_file_where_a_folder_was_is_put_right(two: Project) -> None:
    shutil.rmtree(two.root / "data/train")
    two.write({"data/train": "alpha\n"})

    two.run("checkout", "--force")

    assert two.read("data/train/1.csv") == "1,one\n"


def test_a_folder_where_a_file_was_and_nothing_in_it_is_put_right(two: Project) -> None:
    (two.root / "data/a.txt").unlink()
    (two.root / "data/a.txt").mkdir()

    two.run("checkout", "--force")

    assert two.read("data/a.txt") == "alpha two\n"


def test_a_folder_replaced_by_a_symlink_is_never_written_through(two: Project, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    shutil.rmtree(two.root / "data/train")
    (two.root / "data/train").symlink_to(tmp_path / "outside")

    two.run("checkout", "--force", expect=None)

    assert os.listdir(tmp_path / "outside") == []


def test_a_target_replaced_by_a_symlink_is_never_written_through(two: Project, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    shutil.rmtree(two.root / "data")
    (two.root / "data").symlink_to(tmp_path / "outside")

    two.run("checkout", "--force", expect=None)

    assert os.listdir(tmp_path / "outside") == []


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_each_link_type_gives_the_same_content(project: Project, link: str) -> None:
    project.write({"data/big.bin": blob(1, 200_000), "data/run.sh": "#!/bin/sh\n", "data/a.txt": "alpha\n"})
    (project.root / "data/run.sh").chmod(0o755)
    project.record("data")
    content = {path.name: path.read_bytes() for path in (project.root / "data").iterdir()}
    shutil.rmtree(project.root / "data")

    project.run("checkout", "--link", link)

    assert {path.name: path.read_bytes() for path in (project.root / "data").iterdir()} == content
    assert os.access(project.root / "data/run.sh", os.X_OK)
    assert project.target()["state"] == "clean"


def test_relink_turns_a_copy_into_a_hardlink(project: Project) -> None:
    project.write({"data/big.bin": blob(1, 200_000)})
    project.record("data")
    project.run("checkout", "--relink", "--link", "hardlink")

    assert (project.root / "data/big.bin").stat().st_ino == project.loose("data/big.bin").stat().st_ino


def test_checkout_needs_no_network(published: Project) -> None:
    shutil.rmtree(published.store)
    (published.root / "data/a.txt").unlink()

    published.run("checkout")

    assert published.read("data/a.txt") == "alpha\n"


def test_a_second_checkout_writes_nothing(two: Project) -> None:
    assert [target["written"] for target in two.ask("checkout")["targets"]] in ([], [0])
