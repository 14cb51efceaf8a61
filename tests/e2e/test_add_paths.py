"""`add`: what may be a target, what a path inside a tracked folder means, what is refused."""

import os
from pathlib import Path

import pytest

from tests.e2e.project import Project, blob


def _tracked(project: Project, path: str = "data") -> set[str]:
    return {entry["path"] for entry in project.ask("ls", "-R", path)["entries"] if entry["oid"]}


def test_a_path_inside_a_tracked_folder_changes_only_that_entry(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n", "data/b.txt": "changed too\n"})

    tracked.run("add", "data/b.txt")

    assert tracked.changes() == {"data/a.txt": "modified"}
    assert not (tracked.root / "data/b.txt.dv").exists()


def test_a_new_path_inside_a_tracked_folder_becomes_an_entry(tracked: Project) -> None:
    tracked.write({"data/new.txt": "new\n", "data/other.txt": "other\n"})

    tracked.run("add", "data/new.txt")

    assert tracked.changes() == {"data/other.txt": "added"}


def test_a_removed_path_inside_a_tracked_folder_leaves_it(tracked: Project) -> None:
    before = _tracked(tracked)
    (tracked.root / "data/a.txt").unlink()

    tracked.run("add", "data/a.txt")

    assert _tracked(tracked) == before - {"data/a.txt"}


def test_a_folder_inside_a_tracked_folder_is_taken_as_a_whole(tracked: Project) -> None:
    tracked.write({"data/train/4.csv": "4\n", "data/a.txt": "changed\n"})

    tracked.run("add", "data/train")

    assert tracked.changes() == {"data/a.txt": "modified"}


def test_a_path_below_nothing_tracked_gets_its_own_pointer(project: Project) -> None:
    project.write({"data/sub/x": "x\n"})

    project.run("add", "data/sub/x")

    assert (project.root / "data/sub/x.dv").is_file()
    assert project.git("check-ignore", "data/sub/x").strip() == "data/sub/x"


def test_a_path_may_be_named_from_a_folder_inside(tracked: Project) -> None:
    tracked.write({"data/train/1.csv": "changed\n"})

    tracked.run("add", "1.csv", cwd=tracked.root / "data/train")

    assert tracked.target()["changes"] == []


def test_the_pointer_itself_may_name_what_it_points_to(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n"})

    assert tracked.ask("status", "data.dv")["targets"][0]["changes"][0]["path"] == "data/a.txt"


def test_several_targets_are_added_at_once(project: Project) -> None:
    project.write({"one/x": "1\n", "two/x": "2\n", "three.bin": "3\n"})

    targets = project.ask("add", "one", "two", "three.bin")["targets"]

    assert {target["path"].rstrip("/"): target["kind"] for target in targets} == {
        "one": "directory",
        "two": "directory",
        "three.bin": "file",
    }


def test_one_bad_target_does_not_stop_the_others(project: Project) -> None:
    project.write({"one/x": "1\n", "two/x": "2\n"})
    os.mkfifo(project.root / "pipe")

    project.run("add", "one", "pipe", "two", expect=6)

    assert [(project.root / f"{name}.dv").exists() for name in ("one", "two", "pipe")] == [True, True, False]


def test_a_single_file_can_be_tracked(project: Project) -> None:
    project.write({"model.bin": blob(1, 300_000)})
    project.record("model.bin")
    (project.root / "model.bin").unlink()

    project.run("checkout")

    assert (project.root / "model.bin").read_bytes() == blob(1, 300_000)


def test_an_executable_single_file_stays_executable(project: Project) -> None:
    project.write({"tool": "#!/bin/sh\n"})
    (project.root / "tool").chmod(0o755)
    project.record("tool")
    (project.root / "tool").unlink()

    project.run("checkout")

    assert os.access(project.root / "tool", os.X_OK)


def test_a_file_may_become_a_folder_and_a_file_again(project: Project) -> None:
    project.write({"thing": "file\n"})
    project.record("thing", tag="file")
    (project.root / "thing").unlink()
    project.write({"thing/inner.txt": "folder\n"})
    project.record("thing", tag="folder")

    project.git("switch", "-q", "--detach", "file")
    project.run("checkout")
    assert project.read("thing") == "file\n"
    project.git("switch", "-q", "--detach", "folder")
    project.run("checkout")
    assert project.read("thing/inner.txt") == "folder\n"


def test_an_entry_may_become_a_folder_and_a_file_again(tracked: Project) -> None:
    (tracked.root / "data/a.txt").unlink()
    tracked.write({"data/a.txt/inner.txt": "inner\n"})
    tracked.record("data", tag="v2")

    tracked.run("checkout", "v1")
    assert tracked.read("data/a.txt") == "alpha\n"
    tracked.run("checkout", "v2")
    assert tracked.read("data/a.txt/inner.txt") == "inner\n"


def test_a_pointer_inside_a_new_target_is_refused(project: Project) -> None:
    project.write({"data/sub/x.txt": "x\n"})
    project.record("data/sub")

    result = project.run("add", "data", expect=6)

    assert result.hint == "dataver untrack data/sub"
    assert not (project.root / "data.dv").exists()


@pytest.mark.parametrize("target", [".", ".git", ".dataver", "data.dv", ".git/HEAD", ".dataver/config.toml"])
def test_what_is_never_a_target_is_refused(tracked: Project, target: str) -> None:
    tracked.run("add", target, expect=2)


def test_a_target_outside_the_work_tree_is_refused(tracked: Project, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("secret\n")

    result = tracked.run("add", "../outside.txt", expect=None)

    assert result.exit in (2, 6)
    assert not (tmp_path / "outside.txt.dv").exists()


def test_a_symlink_as_target_is_refused_and_its_real_path_named(tracked: Project) -> None:
    (tracked.root / "link").symlink_to("data")

    assert "data" in tracked.run("add", "link", expect=2).stderr


def test_a_submodule_is_refused(tracked: Project) -> None:
    tracked.git("clone", "-q", str(tracked.root), str(tracked.root.parent / "library"))
    tracked.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "../library", "library")

    tracked.run("add", "library", expect=2)


def test_a_file_tracked_by_git_is_taken_over_with_untrack(project: Project) -> None:
    project.write({"data/x.csv": "x\n"})
    project.git("add", "data/x.csv")
    project.commit()

    project.run("add", "--untrack", "data/x.csv")

    assert project.git("ls-files", "data").split() == ["data/.gitignore", "data/x.csv.dv"]
    assert project.read("data/x.csv") == "x\n"


def test_a_folder_with_a_file_tracked_by_git_is_refused_whole(project: Project) -> None:
    project.write({"data/x.csv": "x\n", "data/y.csv": "y\n"})
    project.git("add", "data/x.csv")

    result = project.run("add", "data", expect=6)

    assert result.code == "tracked-by-git"
    assert not (project.root / "data.dv").exists()


def test_the_ignore_line_matches_this_path_only(project: Project) -> None:
    project.write({"a[1]*.bin": "x\n", "a1.bin": "y\n", "sub/a[1]*.bin": "z\n"})

    project.run("add", "a[1]*.bin")

    assert project.git("check-ignore", "--", "a[1]*.bin").strip() == "a[1]*.bin"
    assert project.git("check-ignore", "a1.bin", expect=1) == ""
    assert project.git("check-ignore", "--", "sub/a[1]*.bin", expect=1) == ""


def test_pointer_and_ignore_file_are_staged(project: Project) -> None:
    project.write({"data/a.txt": "alpha\n"})

    project.run("add", "data")

    assert project.git("diff", "--cached", "--name-only").split() == [".gitignore", "data.dv"]


def test_no_stage_leaves_gits_index_alone(project: Project) -> None:
    project.write({"data/a.txt": "alpha\n"})

    project.run("add", "--no-stage", "data")

    assert project.git("diff", "--cached", "--name-only") == ""
    assert (project.root / "data.dv").is_file()
