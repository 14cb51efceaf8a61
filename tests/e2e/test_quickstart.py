"""The quickstart that the README shows, played once and looked at step by step."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.cli import Result, environment
from tests.e2e.project import Project, make_home, picture

TRAIN = 800
TEST = 404


@dataclass(frozen=True, slots=True)
class Played:
    """The quickstart's two clones, what each command printed, and what the folder looked like."""

    churn: Project
    other: Project
    results: dict[str, Result] = field(default_factory=dict)
    folders: dict[str, dict[bytes, tuple[str, bytes]]] = field(default_factory=dict)


def _make_features(churn: Project) -> None:
    """Add 40 files, delete 2, change 3, rename 1."""
    churn.write({f"data/features/{number}.csv": f"feature {number}\n" * 9 for number in range(40)})
    for number in (5, 6):
        (churn.root / f"data/train/{number}.csv").unlink()
    churn.write({f"data/train/{number}.csv": f"changed {number}\n" for number in (7, 8, 9)})
    (churn.root / "data/test/10.csv").rename(churn.root / "data/test/ten.csv")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Play the quickstart of the README, with a folder as the remote."""
    top: Path = tmp_path_factory.mktemp("quickstart")
    make_home(top / "home")
    churn = Project(top / "churn", environment(top / "home"))
    play = Played(churn, Project(top / "other", churn.env))
    (top / "churn").mkdir()
    churn.git("init", "-q")

    def step(name: str, *args: str, project: Project = churn) -> None:
        play.results[name] = project.run(*args, expect=None)

    step("init", "init")
    step("remote add", "remote", "add", "origin", "../store")
    churn.write({f"data/train/{number}.csv": f"train {number}\n" for number in range(TRAIN)})
    churn.write({f"data/test/{number}.csv": f"test {number}\n" for number in range(TEST)})
    step("add", "add", "data/")
    churn.commit("Add data", tag="v1")
    play.folders["v1"] = picture(churn.root / "data")
    step("push", "push")
    _make_features(churn)
    step("second add", "add", "data/")
    churn.commit("New features", tag="v2")
    churn.git("switch", "-q", "--detach", "v1")
    step("status", "status")
    step("checkout", "checkout")
    play.folders["checked out"] = picture(churn.root / "data")
    step("diff", "diff", "v1", "v2")
    churn.git("clone", "-q", "../churn", "../other")
    step("pull", "pull", "data/train", project=play.other)
    return play


def test_init_says_where_and_what_comes_next(played: Played) -> None:
    assert "Initialised dataver in " in played.results["init"].text
    assert "(git branch main)" in played.results["init"].text
    assert "Next: dataver add <path>" in played.results["init"].text


def test_the_remote_is_checked_when_it_is_added(played: Played) -> None:
    text = played.results["remote add"].text

    assert "Remote origin = ../store (default)." in text
    assert "Checked: can list, can write, can delete, create-if-absent holds." in text


def test_add_says_what_it_tracked_and_what_it_staged(played: Played) -> None:
    text = played.results["add"].text

    assert "Tracked data/ 1,204 files, " in text
    assert "-> data.dv (staged with .gitignore)" in text
    assert 'Next: git commit -m "Add data"' in text


def test_push_says_what_went_where(played: Played) -> None:
    text = played.results["push"].text

    assert "Pushed 1,204 files, " in text
    assert " to origin: " in text
    assert "(0 B already there)" in text


def test_a_second_add_says_what_changed(played: Played) -> None:
    text = played.results["second add"].text

    assert "Tracked data/ +40 files -2 ~3 1 renamed +" in text
    assert "-> data.dv (staged)" in text


def test_status_after_a_switch_says_that_the_workspace_is_elsewhere(played: Played) -> None:
    text = played.results["status"].text

    assert "data/ 40 added, 2 deleted, 3 modified, 1 renamed" in text
    assert "(data.dv is at v1, the workspace at v2)" in text
    assert "hint: dataver checkout brings the workspace to v1" in text


def test_checkout_brings_the_first_version_back(played: Played) -> None:
    assert played.folders["checked out"] == played.folders["v1"]


def test_diff_of_two_tags_says_what_changed(played: Played) -> None:
    assert "data/ +40 files -2 ~3 1 renamed +" in played.results["diff"].stdout.replace("  ", " ").replace(
        "  ", " "
    )


def test_a_partial_pull_says_what_it_left_out(played: Played) -> None:
    text = played.results["pull"].text

    assert "Pulled 800 of 1,204 files, " in text
    assert "(data/train only)" in text


def test_a_partial_pull_brings_exactly_the_files_below_its_path(played: Played) -> None:
    assert picture(played.other.root / "data/train") == picture(played.churn.root / "data/train")
    assert not (played.other.root / "data/test").exists()


def test_the_data_is_never_in_git(played: Played) -> None:
    files = played.churn.git("ls-files").split()

    assert sorted(files) == [".dataver/config.toml", ".gitattributes", ".gitignore", "data.dv"]


def test_every_step_exits_with_zero(played: Played) -> None:
    assert {name: result.exit for name, result in played.results.items()} == dict.fromkeys(played.results, 0)
