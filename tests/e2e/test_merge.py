"""Merges as people make them: with the real Git, in clones, and when both changed the same file."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.cli import environment
from tests.e2e.project import Project

Files = dict[str, str]


def diverge(project: Project, ours: Files, theirs: Files) -> None:
    """Commit *theirs* on the branch `side` and *ours* on `main`, where it stays."""
    project.git("switch", "-q", "-c", "side")
    project.write(theirs)
    project.record("data", message="Theirs")
    project.git("switch", "-q", "main")
    project.run("checkout")
    project.write(ours)
    project.record("data", message="Ours")


@pytest.fixture(scope="module")
def torn_template(tracked_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the project that `torn` copies."""
    top = tmp_path_factory.mktemp("torn")
    shutil.copytree(tracked_template, top, symlinks=True, dirs_exist_ok=True)
    project = Project(top / "churn", environment(top / "home"))
    project.write({"other/x.txt": "x\n"})
    project.record("other")
    diverge(
        project,
        {"data/a.txt": "mine\n", "data/mine.txt": "m\n"},
        {"data/a.txt": "theirs\n", "data/theirs.txt": "t\n"},
    )
    project.git("merge", "-q", "side", expect=1)
    return top


@pytest.fixture
def torn(torn_template: Path, tmp_path: Path) -> Project:
    """Give a project in the middle of a merge: both sides changed data/a.txt, each added a file."""
    shutil.copytree(torn_template, tmp_path, symlinks=True, dirs_exist_ok=True)
    return Project(tmp_path / "churn", environment(tmp_path / "home"))


# -- without a conflict ---------------------------------------------------------------------------


def test_a_fresh_clone_after_init_merges_and_what_it_pushes_can_be_pulled(published: Project) -> None:
    diverge(published, {"data/mine.txt": "m\n"}, {"data/theirs.txt": "t\n"})
    published.run("push", "--all")
    clone = published.clone("clone")
    clone.run("init")

    clone.git("merge", "-q", "--no-edit", "origin/side")

    clone.run("push")
    other = clone.clone("other")
    other.run("pull")
    assert (other.read("data/mine.txt"), other.read("data/theirs.txt")) == ("m\n", "t\n")
    assert other.read("data/a.txt") == "alpha\n"


def test_both_people_come_to_the_same_pointer(published: Project) -> None:
    diverge(published, {"data/mine.txt": "m\n"}, {"data/theirs.txt": "t\n"})
    published.run("push", "--all")
    clone = published.clone("clone", "-b", "side")
    clone.run("init")

    published.git("merge", "-q", "--no-edit", "side")
    clone.git("merge", "-q", "--no-edit", "origin/main")

    assert clone.read("data.dv") == published.read("data.dv")


@pytest.mark.parametrize(
    "command", [("rebase", "-q", "side"), ("cherry-pick", "side"), ("merge", "-q", "--no-edit", "side")]
)
def test_git_merges_pointers_whatever_asks_for_it(tracked: Project, command: tuple[str, ...]) -> None:
    diverge(tracked, {"data/mine.txt": "m\n"}, {"data/theirs.txt": "t\n"})

    tracked.git(*command)

    tracked.run("checkout")
    assert (tracked.read("data/mine.txt"), tracked.read("data/theirs.txt")) == ("m\n", "t\n")


def test_a_stash_is_merged_into_what_changed_meanwhile(tracked: Project) -> None:
    tracked.write({"data/stashed.txt": "s\n"})
    tracked.run("add", "data")
    tracked.git("stash", "-q")
    tracked.run("checkout")
    tracked.write({"data/mine.txt": "m\n"})
    tracked.record("data")

    tracked.git("stash", "pop", "-q")

    tracked.run("checkout")
    assert (tracked.read("data/mine.txt"), tracked.read("data/stashed.txt")) == ("m\n", "s\n")


def test_a_revert_takes_back_one_commit_and_keeps_later_ones(tracked: Project) -> None:
    tracked.write({"data/bad.txt": "bad\n"})
    bad = tracked.record("data")
    tracked.write({"data/good.txt": "good\n"})
    tracked.record("data")

    tracked.git("revert", "--no-edit", bad)

    tracked.run("checkout")
    assert (tracked.root / "data/good.txt").exists()
    assert not (tracked.root / "data/bad.txt").exists()


def test_several_branches_at_once_need_resolve_since_git_asks_no_driver_then(tracked: Project) -> None:
    for branch in ("one", "two"):
        tracked.git("switch", "-q", "-c", branch, "v1")
        tracked.run("checkout")
        tracked.write({f"data/{branch}.txt": branch})
        tracked.record("data")
    tracked.git("switch", "-q", "main")
    tracked.git("merge", "-q", "--no-edit", "one", "two", expect=1)

    tracked.run("resolve")

    tracked.run("checkout")
    assert (tracked.read("data/one.txt"), tracked.read("data/two.txt")) == ("one", "two")


def test_a_clone_that_knows_no_driver_is_left_a_conflict_that_resolve_merges(published: Project) -> None:
    diverge(published, {"data/mine.txt": "m\n"}, {"data/theirs.txt": "t\n"})
    published.run("push", "--all")
    clone = published.clone("clone")
    clone.git("merge", "-q", "origin/side", expect=1)
    assert "<<<<<<<" in clone.read("data.dv")

    clone.run("resolve")
    clone.commit("Merge")
    clone.run("pull")

    assert (clone.read("data/mine.txt"), clone.read("data/theirs.txt")) == ("m\n", "t\n")


def test_a_merge_that_cannot_reach_the_remote_says_how_to_go_on(published: Project) -> None:
    diverge(published, {"data/mine.txt": "m\n"}, {"data/theirs.txt": "t\n"})
    published.run("push", "--all")
    clone = published.clone("clone")
    clone.run("init")
    published.store.rename(published.store.with_name("away"))
    clone.git("merge", "-q", "origin/side", expect=1)
    published.store.with_name("away").rename(published.store)

    clone.run("fetch")
    clone.run("resolve")
    clone.run("checkout")

    assert (clone.read("data/mine.txt"), clone.read("data/theirs.txt")) == ("m\n", "t\n")


# -- with a conflict ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ("status",),
        ("ls", "other"),
        ("ls", "HEAD", "data"),
        ("log",),
        ("add", "other"),
        ("checkout", "other"),
        ("diff", "--", "other"),
        ("diff", "v1", "HEAD"),
        ("cat", "HEAD:data/a.txt"),
        ("config", "list"),
        ("resolve", "--union", "--dry-run"),
    ],
    ids=" ".join,
)
def test_a_conflict_in_one_pointer_stops_no_other_command(torn: Project, args: tuple[str, ...]) -> None:
    torn.run(*args)


def test_the_pointer_of_a_conflict_is_ours_and_git_has_all_three(torn: Project) -> None:
    assert torn.read("data.dv") == torn.git("show", "HEAD:data.dv")
    assert [row.split()[2] for row in torn.git("ls-files", "-u").splitlines()] == ["1", "2", "3"]


def test_status_names_what_both_sides_changed(torn: Project) -> None:
    assert torn.target()["conflicts"] == ["data/a.txt"]
    assert "conflict data/a.txt" in torn.run("status").text
    assert torn.run("status", "--porcelain").stdout.splitlines() == ["MC data", " C data/a.txt"]


def test_a_conflict_is_resolved_committed_and_pushed(torn: Project) -> None:
    torn.run("remote", "add", "origin", "../store")
    result = torn.run("resolve", "--union")
    torn.run("checkout")
    torn.commit("Merge")
    torn.run("push")

    clone = torn.clone("clone")
    clone.run("pull")
    found = {path.name: path.read_text() for path in (clone.root / "data").glob("*.txt")}

    assert "Resolved data/" in result.stdout
    assert "Next: dataver checkout data, then git commit" in result.stderr
    assert (found["a.txt"], found["a.theirs.txt"]) == ("mine\n", "theirs\n")
    assert {"mine.txt", "theirs.txt", "b.txt"} <= set(found)


def test_what_is_left_in_conflict_is_listed_and_the_exit_code_says_so(torn: Project) -> None:
    result = torn.run("--json", "resolve", expect=6)

    (target,) = result.data["targets"]
    assert (target["resolved"], [c["path"] for c in target["conflicts"]]) == (False, ["data/a.txt"])
    assert result.failed == {"data": "conflict"}
    assert result.hint == "dataver resolve --union|--ours|--theirs data.dv"


def test_two_sides_at_once_are_refused(torn: Project) -> None:
    assert torn.run("resolve", "--ours", "--theirs", expect=2).code == "usage"


def test_a_push_in_a_conflict_leaves_head_restorable(torn: Project) -> None:
    torn.run("remote", "add", "origin", "../store")
    torn.git("add", ".dataver")

    torn.run("push", expect=None)

    torn.git("merge", "--abort", expect=None)
    torn.git("commit", "-qm", "Remote", expect=None)
    clone = torn.clone("clone")
    clone.run("remote", "add", "origin", "../store")
    clone.run("pull")
    assert clone.read("data/a.txt") == "mine\n"
