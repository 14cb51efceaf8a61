"""An erasure that is killed, or that cannot reach a remote, is finished later, from any clone."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.e2e.erasure.bench import Case, folder_store, other_files, said, survivors
from tests.faults import strace

_CALLS = ("rename,renameat,renameat2,link,linkat", "unlink,unlinkat")
# tests/faults breaks every call of the run, and resumes it where it was begun.
_POINTS = [(call, number) for call in _CALLS for number in (2, 8, 21)]


def _killed_at(case: Case, plan: str, number: int, call: str) -> bool:
    """Run the erasure and kill it at the *number*-th of some system calls; tell whether it came that far."""
    done = strace.trace_warm(
        ("purge", "run", plan),
        case.project.root,
        case.project.env,
        case.tmp / "trace",
        inject=f"{call}:signal=SIGKILL:when={number}",
        follow=False,
    )
    return done.exit in (-signal.SIGKILL, 128 + signal.SIGKILL)


@pytest.mark.skipif(bool(strace.obstacle()), reason="strace cannot be used here")
@pytest.mark.parametrize(("call", "number"), _POINTS)
def test_a_run_that_was_killed_is_finished_from_another_clone(
    folder_case: Case, call: str, number: int
) -> None:
    mate = folder_case.mate()
    plan = folder_case.plan()["data"]["plan"]
    if not _killed_at(folder_case, plan, number, call):
        pytest.skip("the run ends before that point")
    shutil.rmtree(folder_case.project.local / "purge", ignore_errors=True)
    mate.run("fetch", expect=None)
    begun = mate.ask("purge", "list")["erasures"]
    if not begun:  # killed before its record stood: nothing was done
        assert survivors(mate, "v3").keys() > other_files(3).keys()
        return
    erasure = begun[0]["erasure"]

    result = mate.run("purge", "resume", erasure, expect=None)
    if result.exit == 20:  # the killed writer's lease looks alive
        for lease in Path(folder_case.store.url, "leases").glob("*"):
            os.utime(lease, (0, 0))
        result = mate.run("purge", "resume", erasure)
    folder_case.project.run("pull")

    assert result.exit == 0, said(result)
    assert folder_case.found(folder_case.project, mate) == []
    for version in (1, 2, 3):
        mate.run("fetch", "--all")
        assert survivors(mate, f"v{version}") == other_files(version)


def test_with_one_of_two_remotes_down_it_is_pending_and_cannot_be_closed(folder_case: Case) -> None:
    project = folder_case.project
    second = folder_store(folder_case.tmp, "second")
    second.configure(project, "second")
    project.run("push", "--all", "--remote", "second")
    plan = folder_case.plan()["data"]["plan"]
    moved = Path(second.url).rename(folder_case.tmp / "away")

    first = project.run("--json", "purge", "run", plan, expect=20)
    erasure = str(first.json["data"]["erasure"])
    states = {one["name"]: one["state"] for one in first.json["data"]["remotes"]}
    project.run("purge", "close", erasure, expect=20)
    moved.rename(second.url)
    project.run("purge", "resume", erasure)

    assert states == {"origin": "ABSENT", "second": "PENDING"}
    assert folder_case.found(others=[Path(second.url)]) == []
    assert project.ask("purge", "list")["erasures"][0]["state"] == "closed"


def test_a_remote_that_is_seeded_from_an_old_copy_is_found_and_swept(folder_case: Case) -> None:
    project = folder_case.project
    third = folder_store(folder_case.tmp, "third")
    shutil.copytree(folder_case.store.url, third.url)
    erasure = folder_case.erase()
    third.configure(project, "third")

    found = project.run("purge", "verify", erasure, expect=21)
    project.run("purge", "sweep", erasure)

    assert "third" in said(found)
    assert folder_case.found(others=[Path(third.url)]) == []


def test_a_cache_restored_from_a_backup_loses_it_again_at_the_next_command(folder_case: Case) -> None:
    project = folder_case.project
    backup = folder_case.tmp / "backup.tar"
    shutil.make_archive(str(backup.with_suffix("")), "tar", project.local, "cache")
    erasure = folder_case.erase()
    project.run("checkout")  # by now the clone knows that it is clean
    shutil.unpack_archive(backup, project.local)
    backup.unlink()
    assert folder_case.found() != []

    result = project.run("checkout")

    assert folder_case.found() == []
    assert result.exit == 0
    project.run("purge", "verify", erasure)


def test_scan_finds_it_in_a_foreign_folder(folder_case: Case) -> None:
    project = folder_case.project
    foreign = folder_case.tmp / "foreign"
    shutil.copytree(project.root / "data", foreign)
    erasure = folder_case.erase()

    told = project.ask("purge", "scan", str(foreign), expect=21)
    project.run("purge", "scan", str(foreign), "--delete", expect=None)

    assert {hit["erasure"] for hit in told["hits"]} == {erasure}
    assert len(told["hits"]) == 2
    assert sorted(p.name for p in foreign.rglob("*") if p.is_file()) == [
        "note.txt",
        "photo.bin",
        "readme.txt",
    ]


def test_missing_is_not_erased(folder_case: Case) -> None:
    folder_case.erase()
    pack = next(
        path
        for path in sorted(Path(folder_case.store.url, "packs").rglob("*"))
        if path.is_file() and b"of somebody else" in path.read_bytes()
    )
    pack.unlink()
    clone = folder_case.project.clone("fresh")

    result = clone.run("pull", expect=3)

    assert "missing" in said(result)
