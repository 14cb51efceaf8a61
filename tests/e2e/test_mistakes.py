"""The likely mistakes: each has its code, its exit code, and a hint that can be run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.cli import Result, dataver, environment
from tests.e2e.project import Project, blob, publish


def _told(result: Result) -> tuple[str, int]:
    return (result.code, result.exit)


@pytest.fixture
def nowhere(tmp_path: Path) -> Project:
    """Give a folder that is in no Git repository."""
    (tmp_path / "nowhere").mkdir()
    return Project(tmp_path / "nowhere", environment(tmp_path / "home"))


@pytest.mark.parametrize("verb", ["init", "status", "add", "push", "diff", "checkout"])
def test_outside_a_git_repository_it_is_no_git(nowhere: Project, verb: str) -> None:
    result = nowhere.run(verb, *(["x"] if verb == "add" else []), expect=2)

    assert result.code == "no-git"
    assert result.hint == "git init && dataver init"


@pytest.mark.parametrize("verb", ["status", "add", "push", "diff", "checkout"])
def test_without_a_dataver_folder_it_is_no_dataver(nowhere: Project, verb: str) -> None:
    nowhere.git("init", "-q")

    result = nowhere.run(verb, *(["x"] if verb == "add" else []), expect=2)

    assert result.code == "no-dataver"
    assert result.hint == "dataver init"


def test_a_file_that_git_tracks_is_refused(project: Project) -> None:
    project.write({"data/x.csv": "x\n"})
    project.git("add", "data/x.csv")

    result = project.run("add", "data/x.csv", expect=6)

    assert result.code == "tracked-by-git"
    assert result.hint == "dataver add --untrack data/x.csv"


def test_without_a_remote_it_is_no_remote(tracked: Project) -> None:
    assert _told(tracked.run("push", expect=2)) == ("no-remote", 2)


def test_a_change_that_would_be_lost_is_would_overwrite(tracked: Project) -> None:
    tracked.write({"data/a.txt": "precious\n"})

    assert _told(tracked.run("checkout", expect=6)) == ("would-overwrite", 6)


def test_a_missing_object_says_which_file_and_who_added_it(tracked: Project) -> None:
    tracked.loose("data/big.bin").unlink()
    (tracked.root / "data/big.bin").unlink()

    result = tracked.run("checkout", expect=3)

    assert result.code == "missing-object"
    assert "data/big.bin" in result.text
    assert "Ada Example" in result.text


def test_a_pointer_in_conflict_is_refused_by_name(conflicted: Project) -> None:
    result = conflicted.run("--json", "checkout", "--force", expect=6)

    assert {path.rstrip("/").removesuffix(".dv"): code for path, code in result.failed.items()} == {
        "data": "conflict"
    }


def test_no_hint_names_a_command_that_does_not_exist(conflicted: Project) -> None:
    known = conflicted.run("--help").stdout.split()

    text = conflicted.run("checkout", "--force", expect=6).stderr

    named = [
        words[1] for words in (part.split() for part in text.split("hint: ")[1:]) if words[0] == "dataver"
    ]
    assert [verb for verb in named if verb not in known] == []


def test_a_full_disk_says_how_much_is_needed_and_leaves_nothing(tmp_path: Path, project: Project) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        project.run("config", "set", "--local", "cache.dir", str(small / "cache"))
        project.write({"data/big.bin": blob(1, 8 << 20)})

        result = project.run("add", "data", expect=7)

        assert result.code == "disk-full"
        assert not (project.root / "data.dv").exists()
        assert sum(path.stat().st_size for path in small.rglob("*") if path.is_file()) < 1 << 20
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_corrupt_object_is_corrupt_object(tracked: Project) -> None:
    corrupt = tracked.loose("data/big.bin")
    corrupt.chmod(0o644)
    corrupt.write_bytes(blob(2, 100_000))
    (tracked.root / "data/big.bin").unlink()

    result = tracked.run("checkout", expect=3)

    assert _told(result) == ("corrupt-object", 3)
    assert "fetch" in result.hint or "pull" in result.hint


def test_a_library_that_is_not_there_is_missing_extra(project: Project) -> None:
    assert _told(project.run("remote", "add", "origin", "az://x/y", expect=2)) == ("missing-extra", 2)


def test_a_remote_that_is_gone_is_named(published: Project) -> None:
    shutil.move(published.store, published.root.parent / "moved")

    result = published.run("push", expect=4)

    assert "store" in result.stderr


@pytest.mark.parametrize(("typo", "meant"), [("stauts", "status"), ("chekout", "checkout"), ("psuh", "push")])
def test_a_mistyped_verb_gets_two_lines_with_a_suggestion(project: Project, typo: str, meant: str) -> None:
    result = project.run(typo, expect=2)

    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 2
    assert meant in result.stderr


def test_a_mistyped_option_is_a_usage_error(project: Project) -> None:
    assert "--jsn" in project.run("status", "--jsn", expect=2).stderr


def test_a_mistyped_path_suggests_a_tracked_one(tracked: Project) -> None:
    assert "data/a.txt" in tracked.run("checkout", "data/a.tx", expect=2).text


def test_a_fresh_clone_says_pull(tracked: Project) -> None:
    publish(tracked)
    other = tracked.clone("other")

    assert "dataver pull" in other.run("checkout", expect=None).text


def test_a_repository_without_commits_can_add(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "young").mkdir()
    young = Project(tmp_path / "young", environment(tmp_path / "home"))
    young.git("init", "-q")
    young.run("init")
    young.write({"data/a.txt": "alpha\n"})

    young.run("add", "data")

    assert young.ask("status")["head"] is None


def test_nothing_waits_for_an_answer_without_a_terminal(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n"})

    result = dataver("checkout", "--force", cwd=tracked.root, env=tracked.env, timeout_s=30)

    assert result.exit == 0
