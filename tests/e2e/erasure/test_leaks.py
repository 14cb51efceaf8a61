"""Places where something of a person could hide, and other people's data that could go with it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.e2e.erasure.bench import (
    FOLDER,
    LARGE,
    MARKER,
    PERSON,
    SELECTED,
    Case,
    folder_store,
    other_files,
    survivors,
)
from tests.e2e.project import Project, blob, new_project


def _secret(number: int) -> bytes:
    return MARKER + f"more {number}\n".encode()


def _bare(tmp_path: Path, name: str = "churn") -> Project:
    """Give a project without data whose remote is the folder `store`."""
    project = new_project(tmp_path / name, tmp_path / "home")
    folder_store(tmp_path).configure(project)
    project.git("add", ".dataver")
    project.git("commit", "-qm", "Name the remote")
    return project


def _plan(project: Project, *more: str) -> str:
    return str(project.ask("purge", "plan", *more)["plan"])


def _erase(project: Project, *more: str) -> str:
    return str(project.ask("purge", "run", _plan(project, *more))["erasure"])


# -- states of work trees and of Git --------------------------------------------------------------


def test_a_stash_a_conflict_and_an_uncommitted_pointer_are_versions_too(folder_case: Case) -> None:
    project = folder_case.project
    files = {f"{FOLDER}/stashed.txt": _secret(1)}
    project.write(files)
    project.run("add", "data")
    project.git("stash")
    project.run("checkout")
    staged = {f"{FOLDER}/staged.txt": _secret(2)}
    project.write(staged)
    project.run("add", "data")
    uncommitted = {f"{FOLDER}/uncommitted.txt": _secret(3)}
    project.write(uncommitted)
    project.run("add", "data")
    folder_case.contents += [*files.values(), *staged.values(), *uncommitted.values()]

    folder_case.erase()

    assert folder_case.found() == []
    project.git("checkout", "-q", "-f", "v3")
    project.run("checkout")
    project.git("stash", "pop")
    project.run("checkout")
    assert survivors(project, "v3") == other_files(3)


def test_a_merge_under_way_loses_both_sides(folder_case: Case) -> None:
    project = folder_case.project
    project.git("checkout", "-qb", "left")
    left = {f"{FOLDER}/note.txt": _secret(1), "data/readme.txt": "left\n"}
    right = {f"{FOLDER}/note.txt": _secret(2), "data/readme.txt": "right\n"}
    project.write(left)
    project.record("data")
    project.git("checkout", "-q", "main")
    project.run("checkout")
    project.write(right)
    project.record("data")
    project.git("merge", "left", expect=None)
    project.run("resolve", "--ours", f"{FOLDER}/note.txt", expect=None)
    folder_case.contents += [_secret(1), _secret(2)]
    assert list((project.local / "decisions").iterdir())

    folder_case.erase()

    assert folder_case.found() == []


def test_a_linked_work_tree_whose_folder_is_gone_remembers_nothing(folder_case: Case) -> None:
    project = folder_case.project
    for name in ("here", "gone"):
        project.git("worktree", "add", "-q", f"../{name}", "v2")
        project.run("checkout", cwd=folder_case.tmp / name)
    shutil.rmtree(folder_case.tmp / "gone")

    folder_case.erase()

    assert folder_case.found(project, others=[folder_case.tmp / "here"]) == []


def test_a_renamed_dataset_and_one_on_another_branch_lose_it_too(folder_case: Case) -> None:
    project = folder_case.project
    project.run("mv", "data", "moved")
    project.git("commit", "-qm", "Move")
    project.git("checkout", "-qb", "side", "v1")
    project.run("checkout")
    project.write({f"{FOLDER}/side.txt": _secret(1)})
    project.record("data")
    project.git("checkout", "-q", "main")
    project.run("checkout")
    folder_case.contents.append(_secret(1))

    plan = folder_case.plan("--shared", "erase", selected=(SELECTED, f"moved/users/{PERSON}/**"))
    project.run("purge", "run", plan["data"]["plan"])

    assert folder_case.found() == []
    assert not (project.root / f"moved/users/{PERSON}").exists()


def test_a_version_that_only_the_remote_has_loses_it_too(folder_case: Case) -> None:
    """A teammate pushed it, and nobody here fetched the branch."""
    mate = folder_case.mate()
    mate.git("checkout", "-qb", "theirs")
    mate.write({f"{FOLDER}/theirs.txt": _secret(1), f"{FOLDER}/film.bin": _secret(2) + blob(9, LARGE)})
    mate.record("data")
    mate.run("push")
    folder_case.contents += [_secret(1), _secret(2) + blob(9, LARGE)]

    folder_case.erase()
    assert folder_case.found() == []
    mate.run("pull")

    assert folder_case.found(folder_case.project, mate) == []


def test_what_lies_in_a_tree_under_any_kind_is_gone(folder_case: Case) -> None:
    project = folder_case.project
    top = project.root / FOLDER
    (top / "empty").mkdir()
    (top / "nothing.txt").write_bytes(b"")
    script = top / "run.sh"
    script.write_bytes(_secret(1))
    script.chmod(0o755)
    (top / "link").symlink_to(f"../{PERSON}/note.txt")
    Path(os.fsdecode(os.fsencode(top) + b"/caf\xe9-\xff.txt")).write_bytes(_secret(2))
    (project.root / "data/users/u2/.keep").write_bytes(b"")
    project.record("data", tag="v4")
    project.run("push")
    mate = folder_case.mate()
    folder_case.contents += [_secret(1), _secret(2)]

    folder_case.erase()
    mate.run("pull")

    assert folder_case.found(project, mate) == []
    for one in (project, mate):
        assert survivors(one, "v4") == {**other_files(3), "data/users/u2/.keep": b""}


def test_a_sparse_pattern_that_names_the_person_is_gone(folder_case: Case) -> None:
    mate = folder_case.project.clone("sparse")
    mate.run("fetch", "--all")
    mate.run("checkout", FOLDER)
    assert sorted(os.listdir(mate.root / "data/users")) == [PERSON]
    folder_case.erase()

    mate.run("pull")

    assert folder_case.found(folder_case.project, mate) == []


@pytest.mark.parametrize("link", ["hardlink", "symlink", "reflink,copy"])
def test_files_that_are_linked_into_the_cache_are_gone(folder_case: Case, link: str) -> None:
    project = folder_case.project
    project.run("config", "set", "--local", "cache.link", link)
    shutil.rmtree(project.root / "data")
    project.run("checkout")

    folder_case.erase()

    assert folder_case.found() == []
    assert survivors(project, "v3") == other_files(3)


# -- single files, and datasets that are alike ----------------------------------------------------


def test_a_single_file_is_erased_and_no_other_single_file_with_it(tmp_path: Path) -> None:
    project = _bare(tmp_path)
    project.write({"tables/p.csv": _secret(1), "tables/q.csv": "q, version 1\n"})
    project.record("tables/p.csv", "tables/q.csv", tag="v1")
    project.run("push")
    mate = project.clone("mate")
    mate.run("pull")
    mate.git("checkout", "-qb", "theirs")
    mate.write({"tables/q.csv": "q, version 2, which only the remote knows\n"})
    mate.record("tables/q.csv", tag="theirs")
    mate.run("push")

    erasure = _erase(project, "--path", "tables/p.csv")
    mate.run("pull")

    assert not (mate.root / "tables/p.csv").exists()
    assert mate.read("tables/q.csv") == "q, version 2, which only the remote knows\n"
    third = mate.clone("third")
    third.run("pull")
    assert third.read("tables/q.csv") == "q, version 2, which only the remote knows\n"
    assert project.ask("purge", "verify", erasure)["remotes"][0]["state"] == "ABSENT"


@pytest.mark.parametrize("choice", ["erase", "unlink"])
def test_a_dataset_that_is_alike_is_shared_content(tmp_path: Path, choice: str) -> None:
    project = _bare(tmp_path)
    for target in ("one", "two"):
        project.write({f"{target}/a.txt": "the same\n", f"{target}/b.txt": "stays\n"})
    project.record("one", "two")
    project.run("push")

    refused = project.run("--json", "purge", "plan", "--path", "one/a.txt", expect=10)
    chosen = project.run("--json", "purge", "plan", "--path", "one/a.txt", "--shared", choice, expect=None)

    assert "two/a.txt" in refused.text
    if choice == "erase":
        project.run("purge", "run", chosen.data["plan"])
        assert not (project.root / "two/a.txt").exists()
    else:
        if chosen.exit == 0:
            project.run("purge", "run", chosen.data["plan"])
        fresh = project.clone("fresh")
        fresh.run("pull")
        assert fresh.read("two/a.txt") == "the same\n"


def test_unlinked_content_stays_at_the_same_path_of_another_dataset(tmp_path: Path) -> None:
    project = _bare(tmp_path)
    for target in ("one", "two"):
        project.write({f"{target}/a.txt": "the same\n", f"{target}/b.txt": f"of {target}\n"})
        project.write({f"{target}/empty.txt": ""})
    project.record("one", "two")
    project.run("push")

    _erase(project, "--path", "one/a.txt", "--path", "one/empty.txt", "--shared", "unlink")

    fresh = project.clone("fresh")
    fresh.run("pull")
    for one in (project, fresh):
        assert not (one.root / "one/a.txt").exists()
        assert not (one.root / "one/empty.txt").exists()
        assert one.read("two/a.txt") == "the same\n"
        assert one.read("two/empty.txt") == ""
