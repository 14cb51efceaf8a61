"""`status`: each state has its own exact word, in text, in JSON and in the porcelain."""

import os
import shutil

import pytest

from tests.e2e.project import Project


def test_an_untouched_workspace_is_clean(tracked: Project) -> None:
    data = tracked.ask("status")

    assert data["clean"] is True
    assert [(target["state"], target["git"]) for target in data["targets"]] == [("clean", "committed")]


def test_status_counts_files(tracked: Project) -> None:
    assert tracked.target()["files"] == 6


def test_status_names_the_commit_it_compares_with(tracked: Project) -> None:
    assert tracked.ask("status")["head"] == tracked.git("rev-parse", "HEAD").strip()


def test_status_with_nothing_tracked_says_how_to_begin(project: Project) -> None:
    assert "dataver add" in project.run("status").text


def test_a_changed_file_is_modified(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n"})

    assert tracked.changes() == {"data/a.txt": "modified"}


def test_a_new_file_is_added(tracked: Project) -> None:
    tracked.write({"data/new.txt": "new\n"})

    assert tracked.changes() == {"data/new.txt": "added"}


def test_a_removed_file_is_deleted(tracked: Project) -> None:
    (tracked.root / "data/a.txt").unlink()

    assert tracked.changes() == {"data/a.txt": "deleted"}


def test_a_file_that_became_a_symlink_changed_its_type(tracked: Project) -> None:
    (tracked.root / "data/a.txt").unlink()
    (tracked.root / "data/a.txt").symlink_to("b.txt")

    assert tracked.changes() == {"data/a.txt": "type"}


def test_a_file_that_became_executable_is_a_change(tracked: Project) -> None:
    (tracked.root / "data/a.txt").chmod(0o755)

    assert set(tracked.changes()) == {"data/a.txt"}


def test_a_moved_file_is_renamed_and_names_where_it_was(tracked: Project) -> None:
    (tracked.root / "data/big.bin").rename(tracked.root / "data/large.bin")

    changes = tracked.target()["changes"]

    assert [(c["change"], c["from"], c["path"]) for c in changes] == [
        ("renamed", "data/big.bin", "data/large.bin")
    ]


def test_a_fifo_in_a_tracked_folder_is_unsafe(tracked: Project) -> None:
    os.mkfifo(tracked.root / "data/pipe")

    data = tracked.ask("status", expect=None)

    assert [(c["path"], c["change"]) for c in data["targets"][0]["changes"]] == [("data/pipe", "unsafe")]


def test_an_outward_symlink_in_a_tracked_folder_is_unsafe(tracked: Project) -> None:
    (tracked.root / "data/out").symlink_to("/etc/passwd")

    data = tracked.ask("status", expect=None)

    assert [(c["path"], c["change"]) for c in data["targets"][0]["changes"]] == [("data/out", "unsafe")]


def test_a_changed_file_makes_its_target_dirty(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n"})

    assert tracked.target()["state"] == "dirty"
    assert tracked.ask("status")["clean"] is False


def test_text_counts_the_changes_by_their_words(tracked: Project) -> None:
    tracked.write({"data/new.txt": "new\n", "data/a.txt": "changed\n"})
    (tracked.root / "data/b.txt").unlink()

    assert "data/ 1 added, 1 deleted, 1 modified" in tracked.run("status").text


def test_a_fresh_clone_is_absent_and_says_pull(published: Project) -> None:
    other = published.clone("other")

    assert other.target()["state"] == "absent"
    assert "dataver pull" in other.run("status").text


def test_data_merely_not_fetched_exits_with_0(published: Project) -> None:
    published.clone("other").run("status", "--exit-code", expect=0)


def test_a_deleted_folder_is_a_change(tracked: Project) -> None:
    shutil.rmtree(tracked.root / "data")

    assert tracked.ask("status")["clean"] is False


def test_a_partly_pulled_folder_is_partial(published: Project) -> None:
    other = published.clone("other")
    other.run("pull", "data/train")

    target = other.target()

    assert (target["state"], target["absent"], target["changes"]) == ("partial", 4, [])


def test_a_conflicted_pointer_is_a_conflict(conflicted: Project) -> None:
    assert conflicted.target()["state"] == "conflict"


def test_a_conflicted_pointer_does_not_stop_status_of_the_others(conflicted: Project) -> None:
    assert conflicted.target("other")["state"] == "clean"


def test_an_added_pointer_is_staged_until_it_is_committed(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n"})
    tracked.run("add", "data")

    assert tracked.target()["git"] == "staged"


def test_a_pointer_added_without_staging_is_modified_against_git(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n"})
    tracked.run("add", "--no-stage", "data")

    assert tracked.target()["git"] == "modified"


def test_a_first_pointer_added_without_staging_is_untracked_by_git(project: Project) -> None:
    project.write({"data/a.txt": "alpha\n"})
    project.run("add", "--no-stage", "data")

    assert project.target()["git"] == "untracked"


def test_a_pointer_removed_by_git_is_deleted(tracked: Project) -> None:
    tracked.git("rm", "-q", "data.dv")

    assert tracked.target()["git"] == "deleted"


def test_after_a_switch_status_names_the_version_in_the_workspace(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n"})
    tracked.record("data", tag="v2")
    tracked.git("switch", "-q", "--detach", "v1")

    assert tracked.target()["at"] == "v2"


def test_status_of_a_path_is_only_about_that_path(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n", "data/train/1.csv": "changed\n"})

    targets = tracked.ask("status", "data/train")["targets"]

    assert [change["path"] for target in targets for change in target["changes"]] == ["data/train/1.csv"]


def test_status_works_from_a_folder_inside(tracked: Project) -> None:
    tracked.write({"data/train/1.csv": "changed\n"})

    result = tracked.run("--json", "status", cwd=tracked.root / "data/train")

    assert result.data["targets"][0]["changes"][0]["path"] == "data/train/1.csv"


def test_dash_c_runs_in_another_folder(tracked: Project) -> None:
    result = tracked.run("-C", str(tracked.root), "--json", "status", cwd=tracked.root.parent)

    assert result.data["clean"] is True


def test_a_restored_mtime_and_size_do_not_hide_a_change(tracked: Project) -> None:
    path = tracked.root / "data/a.txt"
    tracked.run("status")
    before = path.stat()
    with path.open("r+") as opened:
        opened.write("ALPHA\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert tracked.changes() == {"data/a.txt": "modified"}


def test_a_change_right_after_an_add_is_seen(tracked: Project) -> None:
    for number in range(3):
        tracked.write({"data/a.txt": f"add {number}\n"})
        tracked.run("add", "data")
        tracked.write({"data/a.txt": f"ADD {number}\n"})

        assert tracked.changes() == {"data/a.txt": "modified"}


def test_a_touched_file_is_clean(tracked: Project) -> None:
    os.utime(tracked.root / "data/a.txt", ns=(1, 1))

    assert tracked.target()["state"] == "clean"


def test_verify_hashes_every_file_again(tracked: Project) -> None:
    assert tracked.ask("status", "--verify")["clean"] is True


@pytest.mark.parametrize("content", [None, b"", b"\x80\x04garbage" * 100])
def test_a_lost_or_corrupt_index_changes_nothing_but_speed(tracked: Project, content: bytes | None) -> None:
    index = tracked.local / "index"
    for path in [index] if index.is_file() else [path for path in index.rglob("*") if path.is_file()]:
        path.unlink() if content is None else path.write_bytes(content)
    tracked.write({"data/a.txt": "changed\n"})

    assert tracked.changes() == {"data/a.txt": "modified"}


def test_the_porcelain_of_a_clean_project_is_empty(tracked: Project) -> None:
    assert tracked.run("status", "--porcelain").stdout == ""


def test_the_porcelain_has_a_letter_for_each_change(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n", "data/new.txt": "new\n"})
    (tracked.root / "data/b.txt").unlink()
    (tracked.root / "data/train/1.csv").unlink()
    (tracked.root / "data/train/1.csv").symlink_to("2.csv")
    os.mkfifo(tracked.root / "data/pipe")

    lines = tracked.run("status", "--porcelain", expect=None).stdout.splitlines()

    assert {line[3:]: line[1] for line in lines if line[3:].startswith("data/")} == {
        "data/a.txt": "M",
        "data/new.txt": "A",
        "data/b.txt": "D",
        "data/train/1.csv": "T",
        "data/pipe": "U",
    }


def test_the_porcelain_with_z_ends_each_entry_with_nul(tracked: Project) -> None:
    tracked.write({"data/a b.txt": "changed\n"})

    assert tracked.run("status", "--porcelain", "-z").stdout == " A data/a b.txt\0"


def test_the_porcelain_with_z_gives_a_rename_as_new_and_old(tracked: Project) -> None:
    (tracked.root / "data/big.bin").rename(tracked.root / "data/large.bin")

    fields = tracked.run("status", "--porcelain", "-z").stdout.split("\0")

    assert fields[0].split() == ["R", "data/large.bin"]
    assert fields[1:] == ["data/big.bin", ""]


def test_the_porcelain_shows_a_staged_pointer(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n"})
    tracked.run("add", "data")

    lines = tracked.run("status", "--porcelain").stdout.splitlines()

    assert [(line[:2], line[3:].rstrip("/")) for line in lines] == [("M ", "data")]


def test_a_moved_pointer_is_said_to_be_moved(tracked: Project) -> None:
    tracked.git("mv", "data.dv", "renamed.dv")

    assert "moved" in tracked.run("status").text
