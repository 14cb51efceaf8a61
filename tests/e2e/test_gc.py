"""`dataver gc` from the command line, and DVC's ninth defect, which does not occur here."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.project import Project, blob, new_project

CONTENTS = {
    "branch": blob(11, 80_000),
    "stash": blob(12, 80_000),
    "tag": blob(13, 80_000),
    "worktree": blob(14, 80_000),
    "neighbour": blob(15, 80_000),
}


def _share_cache(project: Project, cache: Path) -> None:
    project.run("config", "set", "--local", "cache.dir", str(cache))


def _add_version(project: Project, name: str) -> None:
    project.write({"data/big.bin": CONTENTS[name]})
    project.run("add", "data")


@pytest.fixture
def crowd(project: Project) -> Project:
    """Give a project with versions on a branch, a stash, a tag, a work tree; a neighbour shares the cache."""
    shared = project.root.parent / "shared"
    shared.mkdir()
    _share_cache(project, shared)
    project.write({"data/a.txt": "alpha\n"})
    project.record("data")
    project.git("switch", "-q", "-c", "other")
    _add_version(project, "branch")
    project.commit()
    project.git("switch", "-q", "main")
    project.run("checkout")
    _add_version(project, "stash")
    project.git("stash", "-q")
    project.run("checkout")
    _add_version(project, "tag")
    project.commit(tag="v2")
    project.git("reset", "-q", "--hard", "HEAD~1")
    project.run("checkout")
    project.git("worktree", "add", "-q", "--detach", "../linked")
    linked = replace(project, root=project.root.parent / "linked")
    linked.run("checkout")
    _add_version(linked, "worktree")
    neighbour = new_project(project.root.parent / "neighbour", Path(project.env["HOME"]))
    _share_cache(neighbour, shared)
    _add_version(neighbour, "neighbour")
    project.git("reflog", "expire", "--expire=now", "--all")
    return project


def test_gc_leaves_what_branches_stashes_tags_worktrees_and_neighbours_need(crowd: Project) -> None:
    neighbour = replace(crowd, root=crowd.root.parent / "neighbour")
    linked = replace(crowd, root=crowd.root.parent / "linked")

    crowd.run("gc", "--now")

    found = {}
    for project, name, rev in (
        (crowd, "branch", ["other"]),
        (crowd, "tag", ["v2"]),
        (crowd, "stash", ["stash@{0}"]),
        (linked, "worktree", []),
        (neighbour, "neighbour", []),
    ):
        shutil.rmtree(project.root / "data")
        project.run("checkout", *rev)
        found[name] = (project.root / "data/big.bin").read_bytes()
    assert found == CONTENTS


def test_what_gc_takes_waits_for_the_grace_period(tracked: Project) -> None:
    tracked.write({"data/big.bin": CONTENTS["branch"]})
    tracked.run("add", "data")
    tracked.git("reset", "-q", "--hard")
    tracked.run("checkout", "--force")

    young = tracked.ask("gc")
    data = tracked.ask("gc", "--grace", "0s", "--dry-run")

    assert (young["set_aside"], young["deleted"]) == (0, 0)
    assert [item["name"] for item in data["largest"]] == ["big.bin"]


def test_now_deletes_what_only_a_dropped_version_needed(tracked: Project) -> None:
    tracked.write({"data/big.bin": CONTENTS["branch"]})
    tracked.run("add", "data")
    tracked.git("reset", "-q", "--hard")
    tracked.run("checkout")

    result = tracked.run("gc", "--now")

    assert "Deleted" in result.stdout
    assert len([p for p in (tracked.cache / "objects").rglob("*") if p.is_file()]) == 1


def test_gc_refuses_by_name_when_a_registered_repository_is_gone(tracked: Project) -> None:
    neighbour = new_project(tracked.root.parent / "neighbour", Path(tracked.env["HOME"]))
    _share_cache(neighbour, tracked.cache)
    _add_version(neighbour, "neighbour")
    shutil.rmtree(neighbour.root)

    result = tracked.run("gc", expect=6)

    assert result.code == "unproven"
    assert f"dataver gc --forget {neighbour.root}" in result.hint
    tracked.run("gc", "--forget", "../neighbour")
    tracked.run("gc")


def test_pushed_contents_are_freed_and_come_back(published: Project) -> None:
    before = (published.root / "data/big.bin").read_bytes()

    freed = published.ask("gc", "--cache", "--pushed", "--all")["freed"]

    assert freed == 6
    shutil.rmtree(published.root / "data")
    published.run("pull")
    assert (published.root / "data/big.bin").read_bytes() == before


def test_undo_without_anything_set_aside_says_so(tracked: Project) -> None:
    assert tracked.run("gc", "--undo").stdout == "Nothing is set aside\n"


@pytest.mark.parametrize("words", [("--now", "--grace", "1d"), ("--grace", "soon"), ("--all",)])
def test_options_that_make_no_sense_are_usage_errors(tracked: Project, words: tuple[str, ...]) -> None:
    assert tracked.run("gc", *words, expect=2).code == "usage"
