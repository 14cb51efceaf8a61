"""`push`: which versions go, what they count, and what happens when others push or die meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataver.disk.atomic import TEMP_PREFIX
from dataver.errors import (
    DiskFullError,
    NoRemoteError,
    NoSuchPathError,
    UnknownRemoteError,
    UnsafeError,
    UsageError,
)
from dataver.ops.add import add
from dataver.ops.fetch import fetch
from dataver.ops.init import init
from dataver.ops.push import push
from dataver.ops.remotes import remote_add
from dataver.repo import Repo
from tests.ops.exchange_bench import FILES, clone, git, new_project, packs, record, write

SIZE = sum(map(len, FILES.values()))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return new_project(tmp_path / "churn")


def test_a_push_counts_files_bytes_objects_and_packs(project: Path) -> None:
    with Repo.open(str(project)) as repo:
        done = push(repo)

    assert (done.remote, done.files, done.size, done.present, done.failed) == ("origin", 4, SIZE, 0, ())
    assert (done.objects, done.packs, done.seq) == (4 + 2, 2, 1)


def test_a_second_push_costs_few_requests_and_no_entry(project: Path) -> None:
    with Repo.open(str(project)) as repo:
        push(repo)

    with Repo.open(str(project)) as repo:
        done = push(repo)

    assert (done.objects, done.sent, done.seq) == (0, 0, 0)
    assert done.requests <= 6


def test_after_lost_packs_were_sent_again_nothing_new_is_cheap(project: Path) -> None:
    with Repo.open(str(project)) as repo:
        push(repo)
    for pack in packs(project.parent / "store"):
        pack.unlink()
    with Repo.open(str(project)) as repo:
        again = push(repo)

    with Repo.open(str(project)) as repo:
        done = push(repo)

    assert again.objects == 6
    assert (done.objects, done.sent, done.seq) == (0, 0, 0)
    assert done.requests <= 6
    with Repo.open(str(clone(project, "other"))) as repo:
        assert fetch(repo).failed == ()


def test_a_changed_file_sends_one_blob_one_leaf_and_one_root(project: Path) -> None:
    with Repo.open(str(project)) as repo:
        push(repo)
    write(project, {"data/a.txt": "changed\n"})
    record(project, "data")

    with Repo.open(str(project)) as repo:
        done = push(repo)

    assert done.objects == 3


def test_staged_and_unstaged_pointers_are_pushed_too(project: Path) -> None:
    with Repo.open(str(project)) as repo:
        push(repo)
        write(project, {"data/a.txt": "staged\n"})
        add(repo, ["data"])
        write(project, {"data/a.txt": "not staged\n"})
        add(repo, ["data"], stage=False)

        done = push(repo)

    assert done.files == 3 * len(FILES)


def test_a_path_inside_a_target_stands_for_all_of_it(project: Path) -> None:
    write(project, {"other/x.txt": "x\n"})
    record(project, "other")

    with Repo.open(str(project)) as repo:
        done = push(repo, ["data/train"])

    assert done.files == len(FILES)


def test_a_path_that_matches_nothing_is_an_error(project: Path) -> None:
    with Repo.open(str(project)) as repo, pytest.raises(NoSuchPathError):
        push(repo, ["nothing"])


def test_refs_and_all_at_once_are_refused(project: Path) -> None:
    with Repo.open(str(project)) as repo, pytest.raises(UsageError):
        push(repo, refs="v1..HEAD", all_refs=True)


def test_without_a_remote_the_error_says_how_to_add_one(git_repo: Path) -> None:
    init(str(git_repo))

    with Repo.open(str(git_repo)) as repo, pytest.raises(NoRemoteError):
        push(repo)


def test_an_unknown_remote_is_named_with_the_known_ones(project: Path) -> None:
    with Repo.open(str(project)) as repo, pytest.raises(UnknownRemoteError) as caught:
        push(repo, remote="orign")

    assert caught.value.known == ("origin",)


def test_a_dry_run_says_what_a_push_would_send(project: Path) -> None:
    before = packs(project.parent / "store")
    with Repo.open(str(project)) as repo:
        plan = push(repo, dry_run=True)
        done = push(repo)

    assert before == []
    assert (plan.files, plan.size, plan.objects, plan.packs) == (
        done.files,
        done.size,
        done.objects,
        done.packs,
    )
    assert plan.seq == 0


def test_one_bad_pointer_does_not_stop_the_others(project: Path) -> None:
    write(project, {"other/x.txt": "x\n"})
    record(project, "other")
    (project / "other.dv").write_text("nonsense\n")

    with Repo.open(str(project)) as repo:
        done = push(repo)

    assert [failure.path for failure in done.failed] == [b"other"]
    assert done.files == len(FILES) + 1


def test_a_missing_file_names_the_commit_that_brought_it(project: Path, tmp_path: Path) -> None:
    with Repo.open(str(project)) as repo:
        for pack in os.listdir(f"{repo.cache.folder}/packs"):
            if pack.startswith("d-"):
                os.unlink(f"{repo.cache.folder}/packs/{pack}")

    with Repo.open(str(project)) as repo:
        done = push(repo)

    assert {failure.path for failure in done.failed} == {name.encode() for name in FILES}
    assert all("Test in " in failure.hint for failure in done.failed)
    assert done.exit_status == 3


def test_a_remote_with_another_repositorys_secret_refuses(project: Path, tmp_path: Path) -> None:
    with Repo.open(str(project)) as repo:
        push(repo)
    stranger = tmp_path / "stranger"
    subprocess.run(["git", "init", "-q", str(stranger)], check=True)
    init(str(stranger))

    with Repo.open(str(stranger)) as repo, pytest.raises(UnsafeError):
        remote_add(repo, "origin", "../store")


def test_a_push_of_all_refs_sends_every_version(project: Path) -> None:
    write(project, {"data/a.txt": "two\n"})
    record(project, "data")

    with Repo.open(str(project)) as repo:
        done = push(repo, all_refs=True)

    assert done.files == 2 * len(FILES)


_PUSH = "import dataver,sys\nwith dataver.Repo.open(sys.argv[1]) as r: sys.exit(dataver.push(r).exit_status)"


def _start(top: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _PUSH, str(top)], cwd=Path(__file__).parents[2])


def test_two_pushers_at_once_both_succeed(project: Path) -> None:
    with Repo.open(str(project)) as repo:
        push(repo)
    other = clone(project, "other")
    write(project, {f"mine/{n}.txt": f"mine {n}\n" for n in range(200)})
    write(other, {f"theirs/{n}.txt": f"theirs {n}\n" for n in range(200)})
    record(project, "mine")
    record(other, "theirs")

    pushes = [_start(project), _start(other)]

    assert [child.wait(60) for child in pushes] == [0, 0]
    for top, target in ((project, "mine"), (other, "theirs")):
        with Repo.open(str(clone(top, f"third-{target}"))) as repo:
            assert fetch(repo, [target]).failed == ()


def test_a_killed_push_goes_on_where_it_was(project: Path) -> None:
    folder = project / "data"
    for n in range(120):
        (folder / f"{n}.bin").write_bytes(os.urandom(1_000_000))
    record(project, "data")
    store = project.parent / "store"
    child = _start(project)
    while len(packs(store)) < 2 and child.poll() is None:
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL

    with Repo.open(str(project)) as repo:
        done = push(repo)

    assert done.failed == ()
    with Repo.open(str(clone(project, "other"))) as repo:
        assert fetch(repo).failed == ()
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_remote_gives_exit_7_and_the_push_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        project = new_project(tmp_path / "churn", remote="../disk/store")
        for n in range(12):
            (project / f"data/{n}.bin").write_bytes(os.urandom(1_000_000))
        record(project, "data")

        with Repo.open(str(project)) as repo, pytest.raises(DiskFullError) as caught:
            push(repo)
        left = [p for p in (disk / "store").rglob("*") if p.name.startswith(TEMP_PREFIX)]
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        with Repo.open(str(clone(project, "early"))) as repo:
            early = fetch(repo)
        with Repo.open(str(project)) as repo:
            done = push(repo)

        assert caught.value.exit_status == 7
        assert (left, early.exit_status, done.failed) == ([], 3, ())
        with Repo.open(str(clone(project, "other"))) as repo:
            assert fetch(repo).failed == ()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
