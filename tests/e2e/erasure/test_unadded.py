"""Files of a person that no version ever had: a plan tells of them, and nothing of the user's is taken."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.cli import Json
from tests.e2e.erasure.bench import FOLDER, PERSON, Case, folder_store
from tests.e2e.project import Project, new_project
from tests.erasure.signing import new_key


def _told(plan: Json) -> dict[str, str]:
    return {row["path"]: row["why"] for row in plan["data"]["not_examined"]}


def test_a_plan_tells_of_files_that_were_never_added_and_the_run_leaves_them(folder_case: Case) -> None:
    project = folder_case.project
    note = project.root / f"{FOLDER}/note.txt"
    fresh = {f"{FOLDER}/note.txt": b"edited\n", f"{FOLDER}/new.txt": b"only here\n"}
    project.write({**fresh, "data/users/u2/new.txt": b"of somebody else\n"})
    photo = project.root / f"{FOLDER}/photo.bin"
    photo.write_bytes(photo.read_bytes())
    os.utime(photo)

    plan = folder_case.plan()

    assert set(_told(plan)) == set(fresh)
    assert all("never added" in why for why in _told(plan).values())
    project.run("purge", "run", plan["data"]["plan"])
    assert note.read_bytes() == b"edited\n"
    assert not photo.exists()
    project.run("add", "data")
    again = folder_case.plan()
    assert _told(again) == {}
    project.run("purge", "run", again["data"]["plan"])
    assert not note.parent.exists()


def test_a_plan_tells_of_a_dataset_that_is_tracked_no_longer(folder_case: Case) -> None:
    folder_case.project.run("untrack", "data")
    folder_case.project.git("commit", "-qam", "Untrack")

    told = _told(folder_case.plan())

    assert set(told) == {"data"}
    assert "no longer tracked" in told["data"]


def test_a_plan_tells_of_another_work_trees_files_too(folder_case: Case) -> None:
    project = folder_case.project
    project.git("worktree", "add", "-q", "../beside", "v2")
    beside = folder_case.tmp / "beside"
    project.run("checkout", cwd=beside)
    (beside / FOLDER / "only.txt").write_text("only here\n")

    assert set(_told(folder_case.plan())) == {str(beside / FOLDER / "only.txt")}


def test_a_work_tree_that_was_away_is_cleaned_when_it_is_back(folder_case: Case) -> None:
    project = folder_case.project
    project.git("worktree", "add", "-q", "../beside", "v2")
    beside, away = folder_case.tmp / "beside", folder_case.tmp / "away"
    project.run("checkout", cwd=beside)
    beside.rename(away)
    folder_case.erase()
    assert folder_case.found() == []

    away.rename(beside)
    project.run("fetch", cwd=beside)

    assert folder_case.found(others=[beside]) == []
    assert (beside / "data/readme.txt").read_text() == "version 2\n"


def test_a_plan_tells_of_a_table_whose_changes_were_never_added(tmp_path: Path) -> None:
    project = _project_with_tables(tmp_path)
    (tmp_path / "subjects").write_text(f"{PERSON}\n")
    rows = ("--rows", "data/*.csv", "--key", "user", "--subject-file", str(tmp_path / "subjects"))
    assert _told(project.run("--json", "purge", "plan", *rows).json) == {}

    project.write({"data/a.csv": f"user,n\n{PERSON},7\n", "data/b.csv": f"user,n\n{PERSON},8\n"})

    assert set(_told(project.run("--json", "purge", "plan", *rows).json)) == {"data/a.csv", "data/b.csv"}


def _project_with_tables(tmp_path: Path) -> Project:
    """Give a project with a table that names the person, and one that never did."""
    project = new_project(tmp_path / "churn", tmp_path / "home")
    folder_store(tmp_path).configure(project)
    project.write({"data/a.csv": f"user,n\n{PERSON},1\nu2,2\n", "data/b.csv": "user,n\nu2,1\n"})
    project.record("data")
    project.write({"data/a.csv": "user,n\nu2,2\n"})
    project.record("data")
    project.run("push", "--all")
    key = new_key(tmp_path, "key")
    project.run("purge", "signers", f"{key.path}.pub", "--signing-key", str(key.path))
    return project
