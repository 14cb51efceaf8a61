"""`check` as CI runs it: a branch whose data is not pushed fails, with paths and commits named."""

from dataclasses import replace

import pytest

from tests.e2e.project import Project


@pytest.fixture
def branch(published: Project) -> Project:
    """Give a project with two commits on `side`, of which only the second one's data is pushed."""
    published.git("switch", "-q", "-c", "side")
    for text in ("first", "second"):
        published.write({"data/a.txt": f"{text}\n"})
        published.record("data", message=f"Make it {text}")
    published.run("push")
    return published


def test_a_branch_with_a_version_that_is_not_pushed_fails_in_ci(branch: Project) -> None:
    branch.git("clone", "-q", "--branch", "side", str(branch.root), "../ci")
    ci = replace(branch, root=branch.root.parent / "ci")

    result = ci.run("check", "--refs", "origin/main..HEAD", expect=1)

    commit = branch.git("rev-parse", "--short=8", "HEAD~1").strip()
    assert f"(commit {commit} by Ada Example: Make it first)" in result.text
    assert "error[not-pushed]: data" in result.stderr


def test_the_document_names_path_commit_and_author(branch: Project) -> None:
    result = branch.run("--json", "check", "--refs", "main..HEAD", expect=1)

    assert [(one["path"], one["commit"], one["author"]) for one in result.data["lacking"]] == [
        ("data", branch.git("rev-parse", "HEAD~1").strip(), "Ada Example")
    ]


def test_after_a_push_of_the_range_the_branch_passes(branch: Project) -> None:
    branch.run("push", "--refs", "main..HEAD")

    assert "has everything" in branch.run("check", "--refs", "main..HEAD").stdout


def test_head_alone_is_asked_without_refs(branch: Project) -> None:
    assert branch.run("check").exit == 0


def test_a_shallow_clone_says_that_its_history_is_cut(branch: Project) -> None:
    branch.git("clone", "-q", "--depth", "1", f"file://{branch.root}", "../ci")
    ci = replace(branch, root=branch.root.parent / "ci")

    assert "warning[shallow]" in ci.run("check", "--all").stderr


def test_a_remote_that_cannot_be_reached_exits_4(branch: Project) -> None:
    branch.store.rename(branch.root.parent / "away")

    branch.run("check", expect=4)
