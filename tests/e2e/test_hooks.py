"""Git's hooks, called by Git itself: the data goes along with switch, merge, rebase, commit and push."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.cli import environment
from tests.e2e.project import Project, picture

V1 = "alpha\n"
V2 = "second\n"


@pytest.fixture(scope="session")
def hooked_template(published_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the project that `hooked` copies: everything pushed, hooks, a bare Git remote."""
    top = tmp_path_factory.mktemp("hooked")
    shutil.copytree(published_template, top, symlinks=True, dirs_exist_ok=True)
    project = Project(top / "churn", environment(top / "home"))
    project.git("init", "-q", "--bare", "../code.git")
    project.git("remote", "add", "origin", "../code.git")
    project.git("push", "-q", "origin", "main", "v1")
    project.run("hooks", "install")
    return top


@pytest.fixture
def hooked(hooked_template: Path, tmp_path: Path) -> Project:
    shutil.copytree(hooked_template, tmp_path, symlinks=True, dirs_exist_ok=True)
    return Project(tmp_path / "churn", environment(tmp_path / "home"))


def _git(project: Project, *args: str, expect: int = 0, cwd: Path | None = None) -> str:
    """Run Git and give what it and its hooks said on stderr."""
    done = subprocess.run(
        ["git", *args],
        cwd=cwd or project.root,
        env=dict(project.env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stderr


def _change(project: Project, text: str = V2, message: str = "Change data") -> str:
    """Commit another a.txt and give the commit's id."""
    project.write({"data/a.txt": text})
    return project.record("data", message=message)


def _restorable(project: Project, rev: str, name: str) -> str:
    """Give a.txt of *rev* as a fresh clone of the bare Git remote gets it from the data remote."""
    there = project.root.parent / name
    project.git("clone", "-q", "../code.git", str(there))
    clone = replace(project, root=there)
    clone.git("switch", "-q", "--detach", rev)
    clone.run("pull")
    return clone.read("data/a.txt")


# -- after a switch, a merge, a rebase


def test_a_switch_brings_the_data(hooked: Project) -> None:
    _change(hooked)

    _git(hooked, "switch", "-q", "--detach", "v1")

    assert hooked.read("data/a.txt") == V1


def test_a_switch_in_a_folder_below_brings_the_data(hooked: Project) -> None:
    _change(hooked)

    _git(hooked, "-C", "data", "switch", "-q", "--detach", "v1")

    assert hooked.read("data/a.txt") == V1


def test_a_switch_with_nothing_to_bring_says_nothing(hooked: Project) -> None:
    said = _git(hooked, "switch", "-q", "-c", "side")

    assert said == ""


def test_a_switch_keeps_what_is_in_no_cache_and_says_so(hooked: Project) -> None:
    _change(hooked)
    hooked.write({"data/a.txt": "unsaved\n"})

    said = _git(hooked, "switch", "-q", "--detach", "v1")

    assert (hooked.read("data/a.txt"), "error[would-overwrite]" in said) == ("unsaved\n", True)


def test_a_switch_to_data_that_is_not_here_says_what_to_run(hooked: Project) -> None:
    hooked.git("clone", "-q", "../code.git", "../fresh")
    fresh = replace(hooked, root=hooked.root.parent / "fresh")
    fresh.run("hooks", "install")

    said = _git(fresh, "switch", "-q", "-c", "side")

    assert "hint: dataver pull" in said


def test_a_switch_to_a_branch_without_dataver_is_quiet(hooked: Project) -> None:
    hooked.git("switch", "-q", "--orphan", "pages")
    hooked.write({"index.html": "<p>\n"})
    hooked.git("add", "index.html")
    hooked.git("commit", "-q", "-m", "Pages")
    hooked.git("switch", "-q", "main")

    assert _git(hooked, "switch", "-q", "pages") == ""


def test_a_broken_setting_does_not_make_a_switch_look_failed(hooked: Project) -> None:
    (hooked.local / "config.toml").write_text("nonsense = 1\n")
    hooked.git("rm", "-q", "--cached", "data.dv")

    _git(hooked, "switch", "-q", "-c", "side")


def test_a_pointer_that_git_restored_brings_its_data(hooked: Project) -> None:
    _change(hooked)

    _git(hooked, "checkout", "v1", "--", "data.dv")

    assert hooked.read("data/a.txt") == V1


def test_a_version_that_was_checked_out_by_name_stays_while_its_pointer_does(hooked: Project) -> None:
    _change(hooked)
    hooked.write({"code.py": "1\n"})
    hooked.git("add", "code.py")
    hooked.commit()
    hooked.run("checkout", "v1")

    _git(hooked, "checkout", "HEAD", "--", "code.py")

    assert hooked.read("data/a.txt") == V1


def test_a_new_work_tree_has_the_data(hooked: Project) -> None:
    _git(hooked, "worktree", "add", "-q", "../linked", "-b", "side")

    assert picture(hooked.root.parent / "linked" / "data") == picture(hooked.root / "data")


def test_a_switch_in_a_linked_work_tree_brings_the_data_there_alone(hooked: Project) -> None:
    _change(hooked)
    _git(hooked, "worktree", "add", "-q", "../linked", "-b", "side")
    linked = replace(hooked, root=hooked.root.parent / "linked")

    _git(linked, "switch", "-q", "--detach", "v1")

    assert (linked.read("data/a.txt"), hooked.read("data/a.txt")) == (V1, V2)


def test_a_merge_brings_the_data(hooked: Project) -> None:
    hooked.git("switch", "-q", "-c", "side")
    _change(hooked)
    hooked.git("switch", "-q", "main")

    _git(hooked, "merge", "-q", "side")

    assert hooked.read("data/a.txt") == V2


def test_a_rebase_brings_the_data_of_both_sides(hooked: Project) -> None:
    hooked.git("switch", "-q", "-c", "side")
    hooked.write({"data/b.txt": "side\n"})
    hooked.record("data")
    hooked.git("switch", "-q", "main")
    _change(hooked)
    hooked.git("switch", "-q", "side")

    _git(hooked, "rebase", "-q", "main")

    assert (hooked.read("data/a.txt"), hooked.read("data/b.txt")) == (V2, "side\n")


# -- before a push


def test_one_push_of_two_commits_leaves_both_restorable(hooked: Project) -> None:
    first = _change(hooked, "first\n")
    second = _change(hooked, "second\n")

    _git(hooked, "push", "-q", "origin", "main")

    assert _restorable(hooked, first, "one") == "first\n"
    assert _restorable(hooked, second, "two") == "second\n"


def test_a_new_branch_brings_the_data_of_all_its_commits(hooked: Project) -> None:
    hooked.git("switch", "-q", "-c", "side")
    first = _change(hooked, "first\n")
    _change(hooked, "second\n")

    _git(hooked, "push", "-q", "origin", "side")

    assert _restorable(hooked, first, "one") == "first\n"


def test_a_push_of_a_branch_that_is_not_checked_out_brings_its_data(hooked: Project) -> None:
    hooked.git("switch", "-q", "-c", "side")
    commit = _change(hooked)
    hooked.git("switch", "-q", "main")

    _git(hooked, "push", "-q", "origin", "side")

    assert _restorable(hooked, commit, "one") == V2


def test_a_pushed_tag_brings_its_data(hooked: Project) -> None:
    hooked.git("switch", "-q", "--detach")
    commit = _change(hooked)
    hooked.git("tag", "-a", "-m", "Two", "v2")

    _git(hooked, "push", "-q", "origin", "v2")

    assert _restorable(hooked, commit, "one") == V2


def test_several_refs_at_once_bring_the_data_of_each(hooked: Project) -> None:
    commits = {}
    for name in ("left", "right"):
        hooked.git("switch", "-q", "-c", name, "main")
        commits[name] = _change(hooked, f"{name}\n")

    _git(hooked, "push", "-q", "origin", "left", "right")

    assert {name: _restorable(hooked, sha, name) for name, sha in commits.items()} == {
        "left": "left\n",
        "right": "right\n",
    }


def test_a_forced_push_over_commits_that_are_not_here_brings_the_data(hooked: Project) -> None:
    hooked.git("clone", "-q", "../code.git", "../other")
    other = replace(hooked, root=hooked.root.parent / "other")
    other.git("commit", "-q", "--allow-empty", "-m", "Theirs")
    other.git("push", "-q", "origin", "main")
    commit = _change(hooked)

    _git(hooked, "push", "-q", "--force", "origin", "main")

    assert _restorable(hooked, commit, "one") == V2


def test_a_push_to_a_url_brings_the_data(hooked: Project) -> None:
    commit = _change(hooked)

    _git(hooked, "push", "-q", "../code.git", "main")

    assert _restorable(hooked, commit, "one") == V2


def test_a_push_from_a_linked_work_tree_brings_the_data(hooked: Project) -> None:
    _git(hooked, "worktree", "add", "-q", "../linked", "-b", "side")
    linked = replace(hooked, root=hooked.root.parent / "linked")
    commit = _change(linked)

    _git(linked, "push", "-q", "origin", "side")

    assert _restorable(hooked, commit, "one") == V2


def test_a_push_from_a_shallow_clone_brings_the_data(hooked: Project) -> None:
    url = f"file://{hooked.root.parent}/code.git"
    hooked.git("clone", "-q", "--depth", "1", url, "../shallow")
    shallow = replace(hooked, root=hooked.root.parent / "shallow")
    shallow.run("pull")
    shallow.run("hooks", "install")
    commit = _change(shallow)

    _git(shallow, "push", "-q", "origin", "main")

    assert _restorable(hooked, commit, "one") == V2


def test_data_that_only_the_remote_has_keeps_no_commit_back(hooked: Project) -> None:
    _change(hooked)
    _git(hooked, "push", "-q", "origin", "main")
    hooked.git("clone", "-q", "../code.git", "../fresh")
    fresh = replace(hooked, root=hooked.root.parent / "fresh")
    fresh.run("hooks", "install")
    fresh.git("checkout", "-q", "v1", "--", "data.dv")

    _git(fresh, "commit", "-q", "-m", "Back to the first version")
    _git(fresh, "push", "-q", "origin", "main")


def test_a_deleted_branch_asks_nothing_of_the_data_remote(hooked: Project) -> None:
    hooked.git("push", "-q", "origin", "main:side")
    hooked.store.rename(hooked.root.parent / "away")

    _git(hooked, "push", "-q", "origin", "--delete", "side")


def test_a_push_of_code_alone_asks_nothing_of_the_data_remote(hooked: Project) -> None:
    hooked.git("commit", "-q", "--allow-empty", "-m", "Code")
    hooked.store.rename(hooked.root.parent / "away")

    _git(hooked, "push", "-q", "origin", "main")


def _pushed(project: Project) -> str:
    return project.git("ls-remote", "../code.git", "refs/heads/main").split()[0]


def test_commits_stay_when_their_data_cannot_go(hooked: Project) -> None:
    before = _pushed(hooked)
    _change(hooked)
    hooked.store.rename(hooked.root.parent / "away")

    said = _git(hooked, "push", "-q", "origin", "main", expect=1)

    assert (_pushed(hooked), "git push --no-verify" in said) == (before, True)


def test_a_commit_whose_data_is_nowhere_stays_and_is_named(hooked: Project) -> None:
    before = _pushed(hooked)
    hooked.write({"data/big.bin": b"7" * 200_000})
    commit = hooked.record("data", message="Grow")
    hooked.loose("data/big.bin").unlink()
    hooked.write({"data/big.bin": "small\n"})
    hooked.record("data", message="Shrink")

    said = _git(hooked, "push", "-q", "origin", "main", expect=1)

    assert _pushed(hooked) == before
    assert ("data/big.bin" in said, f"{commit[:8]} (Grow)" in said) == (True, True)


def test_the_way_out_sends_commits_without_their_data(hooked: Project) -> None:
    commit = _change(hooked)
    hooked.store.rename(hooked.root.parent / "away")

    _git(hooked, "push", "-q", "--no-verify", "origin", "main")

    assert _pushed(hooked) == commit


def test_a_hook_of_the_users_own_still_hears_which_refs_go(hooked: Project) -> None:
    hook = hooked.root / ".git" / "hooks" / "pre-push"
    hook.write_text('#!/bin/sh\nwhile read -r a b c d; do echo "$c for $1" >> heard; done\n')
    hooked.run("hooks", "install")
    _change(hooked)

    _git(hooked, "push", "-q", "origin", "main", "v1:refs/tags/again")

    assert hooked.read("heard").splitlines() == ["refs/heads/main for origin", "refs/tags/again for origin"]


def test_a_hook_of_the_users_own_can_still_refuse(hooked: Project) -> None:
    before = _pushed(hooked)
    hook = hooked.root / ".git" / "hooks" / "pre-push"
    hook.write_text("#!/usr/bin/env bash\nexit 3\n")
    hooked.run("hooks", "install")
    _change(hooked)

    _git(hooked, "push", "-q", "origin", "main", expect=1)

    assert _pushed(hooked) == before


@pytest.fixture
def without_dataver(hooked: Project, tmp_path: Path) -> Project:
    """Give a project whose PATH has Git and a shell, and no dataver."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "sh", "cat"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return replace(hooked, env={**hooked.env, "PATH": str(folder)})


def test_without_dataver_a_push_is_refused(hooked: Project, without_dataver: Project) -> None:
    before = _pushed(hooked)
    _change(hooked)

    said = _git(without_dataver, "push", "-q", "origin", "main", expect=1)

    assert (_pushed(hooked), "dataver is not on the PATH" in said) == (before, True)


@pytest.mark.parametrize(
    "command", [("switch", "-q", "-c", "side"), ("commit", "-q", "--allow-empty", "-mx")]
)
def test_without_dataver_other_commands_go_on(without_dataver: Project, command: tuple[str, ...]) -> None:
    said = _git(without_dataver, *command)

    assert "dataver is not on the PATH" in said


# -- before a commit


def test_a_commit_says_which_data_it_leaves_out(hooked: Project) -> None:
    hooked.write({"data/a.txt": "unsaved\n", "code.py": "1\n"})
    hooked.git("add", "code.py")

    said = _git(hooked, "commit", "-q", "-m", "Code")

    assert ("1 change in data/" in said, "hint: dataver add data" in said) == (True, True)


def test_a_commit_with_all_data_added_says_nothing(hooked: Project) -> None:
    hooked.write({"data/a.txt": V2})
    hooked.run("add", "data")

    assert _git(hooked, "commit", "-q", "-m", "Data") == ""


def test_the_policy_stops_a_commit_that_leaves_data_out(hooked: Project) -> None:
    hooked.run("config", "set", "--local", "policy.pre_commit", "block")
    hooked.write({"data/a.txt": "unsaved\n"})

    said = _git(hooked, "commit", "-q", "--allow-empty", "-m", "Code", expect=1)

    assert "error[not-added]" in said


def test_a_pointer_that_is_not_staged_is_named(hooked: Project) -> None:
    hooked.write({"data/a.txt": V2})
    hooked.run("add", "--no-stage", "data")

    said = _git(hooked, "commit", "-q", "--allow-empty", "-m", "Code")

    assert "hint: git add data.dv" in said


@pytest.mark.parametrize("words", [("-a",), ("--", "data.dv"), ("-i", "--", "data.dv")])
def test_a_commit_that_stages_the_pointer_itself_is_complete(hooked: Project, words: tuple[str, ...]) -> None:
    hooked.write({"data/a.txt": V2})
    hooked.run("add", "--no-stage", "data")

    assert _git(hooked, "commit", "-q", "-m", "Data", *words) == ""


def test_a_partial_commit_of_something_else_names_the_pointer(hooked: Project) -> None:
    hooked.write({"code.py": "1\n"})
    hooked.git("add", "code.py")
    hooked.commit()
    hooked.write({"data/a.txt": V2, "code.py": "2\n"})
    hooked.run("add", "data")

    said = _git(hooked, "commit", "-q", "-m", "Code", "--", "code.py")

    assert "hint: git add data.dv" in said


def test_a_commit_in_a_linked_work_tree_looks_at_the_data_there(hooked: Project) -> None:
    _git(hooked, "worktree", "add", "-q", "../linked", "-b", "side")
    linked = replace(hooked, root=hooked.root.parent / "linked")
    linked.write({"data/a.txt": "unsaved\n"})

    said = _git(linked, "commit", "-q", "--allow-empty", "-m", "Code", cwd=linked.root / "data")

    assert "1 change in data/" in said


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\nx\n=======\ny\n>>>>>>> side\n", "", "# dataver pointer\n"])
def test_a_staged_pointer_that_is_none_stops_the_commit(hooked: Project, text: str) -> None:
    hooked.write({"data.dv": text})
    hooked.git("add", "data.dv")

    said = _git(hooked, "commit", "-q", "-m", "Broken", expect=1)

    assert ("data.dv" in said, "hint: git checkout HEAD -- data.dv" in said) == (True, True)


def test_a_staged_pointer_to_data_that_nobody_has_stops_the_commit(hooked: Project) -> None:
    pointer = hooked.read("data.dv")
    root = next(word for word in pointer.replace('"', " ").replace(":", " ").split() if len(word) == 64)
    hooked.write({"data.dv": pointer.replace(root, "ab" * 32)})
    hooked.git("add", "data.dv")

    said = _git(hooked, "commit", "-q", "-m", "Invented", expect=1)

    assert "error[missing-object]" in said


def test_a_merge_of_data_that_is_not_here_may_be_committed(hooked: Project) -> None:
    hooked.git("switch", "-q", "-c", "side")
    _change(hooked)
    hooked.git("push", "-q", "origin", "side")
    hooked.git("clone", "-q", "../code.git", "../other")
    other = replace(hooked, root=hooked.root.parent / "other")
    other.run("hooks", "install")
    other.git("commit", "-q", "--allow-empty", "-m", "Mine")
    other.git("merge", "-q", "--no-commit", "origin/side")

    _git(other, "commit", "-q", "-m", "Merge")


# -- the commands


def test_install_status_and_uninstall_say_where(hooked: Project) -> None:
    assert {hook["state"] for hook in hooked.ask("hooks", "status")["hooks"]} == {"installed"}
    hooked.run("hooks", "uninstall")

    assert {hook["state"] for hook in hooked.ask("hooks", "status")["hooks"]} == {"missing"}


def test_a_hook_that_cannot_be_written_to_exits_6(project: Project) -> None:
    hook = project.root / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/usr/bin/env python3\n")

    assert project.run("--json", "hooks", "install", expect=6).code == "foreign-hook"


def test_an_unknown_hook_is_a_mistake(project: Project) -> None:
    assert project.run("hook", "post-nonsense", expect=2).code == "usage"


def test_a_hook_with_nothing_to_do_loads_no_command_line_library(hooked: Project) -> None:
    program = (
        "import sys; from dataver.cli.session import run; run(['hook', 'post-checkout', 'a', 'b', '1']);"
        "heavy = {'typer', 'msgspec', 'subprocess', 'fsspec', 'dataver.model.results'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=hooked.root, env=dict(hooked.env), capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == "[]\n"
