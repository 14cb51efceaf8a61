"""`log` as people see it."""

import pytest

from tests.e2e.project import Project


@pytest.fixture
def history(tracked: Project) -> Project:
    """Give a project with two more commits of data."""
    tracked.write({"data/new.txt": "new\n", "data/a.txt": "longer than it was\n"})
    tracked.record("data", message="Add new")
    (tracked.root / "data/b.txt").rename(tracked.root / "data/z.txt")
    tracked.record("data", message="Rename b")
    return tracked


def test_a_commit_is_two_lines(history: Project) -> None:
    lines = history.run("log", "data").stdout.splitlines()

    assert lines[0].endswith("Ada Example  Rename b")
    assert lines[0].split()[0] == history.git("rev-parse", "HEAD")[:8]
    assert lines[1] == "    data/   1 file renamed"
    assert lines[3] == "    data/   +1 file  ~1  +17 B"
    assert lines[5].startswith("    data/   added   6 files, ")


def test_of_a_file_the_sizes_are_told_and_where_it_came_from(history: Project) -> None:
    history.write({"data/z.txt": "z\n"})
    history.record("data", message="Change z")

    lines = history.run("log", "data/z.txt").stdout.splitlines()[1::2]

    assert lines == [
        "    data/z.txt   5 B -> 2 B",
        "    data/z.txt   moved from data/b.txt   5 B",
        "    data/b.txt   added   5 B",
    ]


def test_verbose_lists_each_path(history: Project) -> None:
    said = history.run("-v", "log", "-n", "2", "data").stdout

    assert "        > data/b.txt -> data/z.txt\n" in said
    assert "        + data/new.txt  4 B\n" in said


def test_names_alone(history: Project) -> None:
    lines = history.run("log", "--name-only", "data").stdout.splitlines()

    assert lines[1:2] + lines[3:5] == ["        data/z.txt", "        data/a.txt", "        data/new.txt"]


def test_a_range_and_a_limit(history: Project) -> None:
    assert len(history.ask("log", "v1..HEAD", "--", "data")["commits"]) == 2
    result = history.run("log", "-n", "1", "data")
    assert len(result.stdout.splitlines()) == 2
    assert "Only the last 1 commit" in result.stderr


def test_a_script_gets_everything(history: Project) -> None:
    commits = history.ask("log", "data/new.txt")["commits"]

    assert [commit["subject"] for commit in commits] == ["Add new"]
    (target,) = commits[0]["targets"]
    assert (target["path"], target["state"], target["added"]) == ("data/new.txt", "added", 1)


def test_a_path_that_matches_nothing_is_an_error(history: Project) -> None:
    assert history.run("log", "nothing", expect=2).code == "no-such-path"
    assert history.run("log", "data/nothing", expect=2).code == "no-such-path"


def test_a_clone_without_the_old_trees_says_so_and_goes_on(history: Project) -> None:
    history.run("remote", "add", "origin", "../store")
    history.commit("Remote")
    history.run("push", "--all")
    clone = history.clone("clone")
    clone.run("pull")

    result = clone.run("log", "data", expect=3)

    assert len(result.stdout.splitlines()) == 6
    assert (result.code, result.hint) == ("missing-object", "dataver fetch --all")
    clone.run("fetch", "--all")
    clone.run("log", "data")
