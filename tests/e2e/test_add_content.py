"""`add`: what becomes of the content, and of the files that it was read from."""

import os
import shutil
import signal
import threading
import time

from tests.e2e.cli import finish, start
from tests.e2e.project import Project, blob, picture, size_below


def _tracked(project: Project, path: str = "data") -> set[str]:
    return {entry["path"] for entry in project.ask("ls", "-R", path)["entries"] if entry["oid"]}


def test_dry_run_changes_nothing(project: Project) -> None:
    project.write({"data/a.txt": "alpha\n"})

    target = project.ask("add", "--dry-run", "data")["targets"][0]

    assert (target["dry_run"], target["files"]) == (True, 1)
    assert not (project.root / "data.dv").exists()
    assert project.git("status", "--porcelain", "data.dv", ".gitignore") == ""


def test_adding_again_changes_nothing(tracked: Project) -> None:
    pointer = tracked.read("data.dv")

    target = tracked.ask("add", "data")["targets"][0]

    assert target["unchanged"] is True
    assert tracked.read("data.dv") == pointer


def test_the_same_folder_has_the_same_pointer_in_two_clones(published: Project) -> None:
    other = published.clone("other")
    other.run("pull")
    for project in (published, other):
        project.write({"data/a.txt": "changed alike\n"})
        project.run("add", "data")

    assert other.read("data.dv") == published.read("data.dv")


def test_the_pointer_holds_no_content_hash(tracked: Project) -> None:
    pointer = tracked.read("data.dv")

    for entry in tracked.ask("ls", "-R", "data")["entries"]:
        assert str(entry["oid"]).partition(":")[2][:16] not in pointer or not entry["oid"]


def test_another_hash_can_be_chosen(project: Project) -> None:
    project.write({"data/a.txt": "alpha\n"})

    project.run("add", "--hash", "xxh128", "data")

    assert project.oid("data/a.txt").startswith("xxh128:")


def test_an_ignored_file_is_left_out(project: Project) -> None:
    project.write({"data/a.txt": "alpha\n", "data/run.log": "log\n", "data/sub/b.log": "log\n"})
    project.write({".dataverignore": "*.log\n", "data/sub/.dataverignore": "!b.log\n"})

    project.run("add", "data")

    assert {"data/a.txt", "data/sub/b.log"} <= _tracked(project)
    assert "data/run.log" not in _tracked(project)


def test_gitignore_does_not_count_inside_a_tracked_folder(project: Project) -> None:
    project.write({".gitignore": "*.log\n", "data/run.log": "log\n"})

    project.run("add", "data")

    assert "data/run.log" in _tracked(project)


def test_a_tracked_entry_that_becomes_ignored_stays(tracked: Project) -> None:
    before = _tracked(tracked)
    tracked.write({".dataverignore": "*.csv\n"})

    tracked.run("add", "data")

    assert _tracked(tracked) == before


def test_a_file_that_changes_while_it_is_added_is_never_stored_wrong(project: Project) -> None:
    path = project.root / "data/busy.bin"
    project.write({"data/busy.bin": blob(1, 40 << 20), "data/calm.txt": "calm\n"})
    ended = threading.Event()

    def scribble() -> None:
        number = 0
        while not ended.wait(0.001):
            with path.open("r+b") as opened:
                opened.seek((number * 999_983) % (40 << 20))
                opened.write(b"%d" % number)
            number += 1

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        result = project.run("--json", "add", "data", expect=None)
    finally:
        ended.set()
        writer.join()

    assert (result.exit, result.failed) == (6, {"data/busy.bin": "changed-while-read"})
    assert _tracked(project) == {"data/calm.txt"}


def test_add_leaves_every_file_as_it_was(project: Project) -> None:
    project.write({"data/a.txt": "alpha\n", "data/big.bin": blob(1, 200_000)})
    before = {
        path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (project.root / "data").iterdir()
    }
    content = picture(project.root / "data")

    project.run("add", "data")

    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in before} == before
    assert picture(project.root / "data") == content


def test_a_target_that_vanished_is_not_silently_dropped(tracked: Project) -> None:
    shutil.rmtree(tracked.root / "data")
    pointer = tracked.read("data.dv")

    tracked.run("add", "data", expect=None)

    assert tracked.read("data.dv") == pointer


def test_a_file_being_added_survives_a_kill(project: Project) -> None:
    content = blob(3, 30 << 20)
    project.write({"model.bin": content})
    before = size_below(project.local)
    adding = start("add", "model.bin", cwd=project.root, env=project.env)
    deadline = time.monotonic() + 30
    while size_below(project.local) == before and adding.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(adding.pid, signal.SIGKILL)
    finish(adding)

    project.run("add", "model.bin")

    assert (project.root / "model.bin").read_bytes() == content
