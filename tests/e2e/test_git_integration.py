"""What Git itself shows and does in a repository with data: diff, mv, merge, worktrees, hooks."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.cli import dataver, git
from tests.e2e.project import Project, picture, publish


def test_git_diff_shows_which_files_changed(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n", "data/new.txt": "new\n"})
    tracked.record("data")

    text = tracked.git("diff", "v1", "HEAD", "--", "data.dv")

    assert "a.txt" in text or "+1 file" in text


def test_git_diff_without_data_still_shows_something(published: Project) -> None:
    published.write({"data/a.txt": "changed\n"})
    published.record("data")
    other = published.clone("other")
    other.run("status")

    assert "data" in other.git("diff", "HEAD~1", "HEAD", "--", "data.dv")


def test_git_log_p_prints_the_pointers_summary(tracked: Project) -> None:
    tracked.write({"data/new.txt": "new\n"})
    tracked.record("data")

    text = tracked.git("log", "-p", "-1", "--no-ext-diff", "--textconv")

    assert "files" in text


def test_textconv_prints_a_pointer(tracked: Project) -> None:
    assert "6" in tracked.run("git-textconv", "data.dv").stdout


def test_the_first_command_in_a_clone_sets_up_gits_drivers(published: Project) -> None:
    other = published.clone("other")

    other.run("status")

    assert other.git("config", "--local", "diff.dataver.command").strip()
    assert other.git("config", "--local", "merge.dataver.driver").strip()


def test_git_dataver_is_the_same_program(tracked: Project) -> None:
    if shutil.which("git-dataver", path=tracked.env["PATH"]) is None:
        pytest.skip("dataver is not installed here, only importable")

    assert '"dataver.status/1"' in tracked.git("dataver", "--json", "status")


def test_a_moved_pointer_moves_its_folder_at_checkout(tracked: Project) -> None:
    before = picture(tracked.root / "data")
    tracked.git("mv", "data.dv", "inputs.dv")

    tracked.run("checkout")

    assert picture(tracked.root / "inputs") == before
    assert not (tracked.root / "data").exists()


def test_a_moved_pointer_never_destroys_an_unsaved_change(tracked: Project) -> None:
    tracked.write({"data/a.txt": "precious\n"})
    tracked.git("mv", "data.dv", "inputs.dv")

    tracked.run("checkout", expect=None)

    kept = [tracked.root / name / "a.txt" for name in ("data", "inputs")]
    assert "precious\n" in [path.read_text() for path in kept if path.exists()]


@pytest.mark.parametrize(
    "args", [["status"], ["checkout", "other"], ["diff", "other"], ["ls", "other"], ["add", "other"]]
)
def test_a_conflict_in_one_pointer_leaves_the_others_working(conflicted: Project, args: list[str]) -> None:
    conflicted.run(*args)


def test_a_checkout_goes_on_past_a_pointer_in_conflict(conflicted: Project) -> None:
    (conflicted.root / "other/x.txt").unlink()

    conflicted.run("checkout", expect=6)

    assert conflicted.read("other/x.txt") == "x\n"


def test_a_push_goes_on_past_a_pointer_in_conflict(conflicted: Project) -> None:
    conflicted.run("remote", "add", "origin", "../store")

    conflicted.run("push", expect=None)

    conflicted.git("merge", "--abort")
    other = conflicted.clone("other")
    other.run("remote", "add", "again", "../store", "--default")
    other.run("pull", "other", expect=None)
    assert other.read("other/x.txt") == "x\n"


def test_a_conflict_is_settled_by_adding(conflicted: Project) -> None:
    conflicted.write({"data/a.txt": "both\n"})

    conflicted.run("add", "data")
    conflicted.commit("Merge")

    assert conflicted.target()["state"] == "clean"


def test_a_fast_forward_needs_no_driver(tracked: Project) -> None:
    tracked.git("switch", "-q", "-c", "side")
    tracked.write({"data/a.txt": "theirs\n"})
    tracked.record("data")
    tracked.git("switch", "-q", "main")
    tracked.git("merge", "-q", "--ff-only", "side")

    tracked.run("checkout")

    assert tracked.read("data/a.txt") == "theirs\n"


def test_a_second_worktree_shares_the_cache(tracked: Project, tmp_path: Path) -> None:
    before = picture(tracked.root / "data")
    tracked.git("worktree", "add", "-q", str(tmp_path / "second"), "v1")
    second = Project(tmp_path / "second", tracked.env)

    second.run("checkout")

    assert picture(second.root / "data") == before


def test_two_worktrees_hold_different_versions(tracked: Project, tmp_path: Path) -> None:
    tracked.write({"data/a.txt": "changed\n"})
    tracked.record("data")
    tracked.git("worktree", "add", "-q", str(tmp_path / "second"), "v1")
    second = Project(tmp_path / "second", tracked.env)

    second.run("checkout")

    assert (tracked.read("data/a.txt"), second.read("data/a.txt")) == ("changed\n", "alpha\n")
    assert [project.target()["state"] for project in (tracked, second)] == ["clean", "clean"]


def test_git_clean_never_reaches_the_cache(tracked: Project) -> None:
    tracked.git("clean", "-q", "-fdx")

    tracked.run("checkout")

    assert tracked.read("data/a.txt") == "alpha\n"


def test_init_installs_no_hook(project: Project) -> None:
    hooks = [path.name for path in (project.root / ".git/hooks").iterdir() if path.suffix != ".sample"]

    assert hooks == []


def test_init_again_changes_nothing(tracked: Project) -> None:
    tracked.run("init")

    assert tracked.git("status", "--porcelain") == ""


def test_init_keeps_the_attributes_that_are_there(tmp_path: Path, project: Project) -> None:
    fresh = Project(tmp_path / "fresh", project.env)
    fresh.root.mkdir()
    fresh.git("init", "-q")
    fresh.write({".gitattributes": "*.png binary"})

    fresh.run("init")

    assert fresh.read(".gitattributes").splitlines() == [
        "*.png binary",
        "*.dv text eol=lf diff=dataver merge=dataver",
    ]


def test_the_secret_is_not_in_git_and_not_readable_by_others(project: Project) -> None:
    keys = project.local / "keys.toml"

    assert keys.stat().st_mode & 0o777 == 0o600
    assert "keys.toml" not in project.git("ls-files")


def test_a_repository_without_branch_or_commit_can_be_initialised(tmp_path: Path, project: Project) -> None:
    (tmp_path / "young").mkdir()
    git("init", "-q", cwd=tmp_path / "young", env=project.env)

    dataver("init", cwd=tmp_path / "young", env=project.env)


def test_a_shallow_clone_can_pull(published: Project) -> None:
    published.write({"data/a.txt": "changed\n"})
    published.record("data")
    published.run("push")
    published.git(
        "clone", "-q", "--depth", "1", published.root.as_uri(), str(published.root.parent / "shallow")
    )
    shallow = Project(published.root.parent / "shallow", published.env)

    shallow.run("pull")

    assert shallow.read("data/a.txt") == "changed\n"


def test_a_stash_brings_the_pointer_back(tracked: Project) -> None:
    tracked.write({"data/a.txt": "stashed\n"})
    tracked.run("add", "data")
    tracked.git("stash", "-q")
    tracked.run("checkout")
    assert tracked.read("data/a.txt") == "alpha\n"

    tracked.git("stash", "pop", "-q")
    tracked.run("checkout")

    assert tracked.read("data/a.txt") == "stashed\n"


def test_a_renamed_branch_and_a_pushed_version_need_nothing_else(tracked: Project) -> None:
    publish(tracked)
    tracked.git("branch", "-m", "trunk")

    tracked.run("push")

    assert tracked.ask("status")["clean"] is True
