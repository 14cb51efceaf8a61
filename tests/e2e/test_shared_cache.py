"""Several users and repositories on one cache, and caches that may only be read."""

import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dataver.errors import PermissionDeniedError
from tests.e2e.people import GROUP, Person, person, town
from tests.e2e.project import Project, blob, picture

_LARGE = blob(3, 200_000)


@pytest.fixture
def folder() -> Iterator[Path]:
    with town() as found:
        yield found


@pytest.fixture
def cache(folder: Path) -> Path:
    """Give an empty cache of the group, as docs/shared-cache.md sets it up."""
    path = folder / "cache"
    path.mkdir()
    os.chown(path, 0, GROUP)
    path.chmod(0o2775)
    return path


@pytest.fixture
def ada(folder: Path, cache: Path) -> Person:
    """Give a user whose umask lets nobody else read, with data recorded in the shared cache."""
    ada = person(folder, "ada", 40_001, cache, umask="077")
    ada.git("init", "-q")
    ada.run("init")
    ada.write("data/small.txt", b"small\n")
    ada.write("data/large.bin", _LARGE)
    ada.run("add", "data")
    ada.git("commit", "-q", "-m", "Begin")
    return ada


@pytest.fixture
def ben(folder: Path, cache: Path, ada: Person) -> Person:
    """Give another user with a clone of the first one's repository, and the same cache."""
    ben = person(folder, "ben", 40_002, cache)
    ben.clone(ada)
    return ben


def test_what_one_user_added_another_checks_out_without_a_remote(ben: Person) -> None:
    ben.run("checkout")

    assert (ben.root / "data/large.bin").read_bytes() == _LARGE
    assert (ben.root / "data/small.txt").read_text() == "small\n"


def test_everything_in_a_cache_has_the_mode_of_its_folder_whatever_the_umask(
    ada: Person, cache: Path
) -> None:
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in cache.rglob("*")}

    folders = {path for path in modes if path.is_dir()}
    locks = {path for path in modes if path.name.startswith("lock")}
    assert {modes[path] for path in folders} == {0o2775}
    assert {modes[path] for path in locks} == {0o664}
    assert {modes[path] for path in modes.keys() - folders - locks} == {0o444}
    assert {path.lstat().st_gid for path in modes} == {GROUP}


def test_two_users_add_to_one_cache_in_turn(ada: Person, ben: Person) -> None:
    ben.run("checkout")
    for number in range(3):
        ben.write(f"data/ben{number}.txt", b"%d" % number)
        ben.run("add", "data")
        ada.write(f"data/ada{number}.bin", blob(number, 100_000))
        ada.run("add", "data")

    assert ben.run("status", "--porcelain").exit == 0
    assert ada.run("checkout", "--force").exit == 0


def test_another_users_object_is_copied_where_ones_own_is_hard_linked(ada: Person, ben: Person) -> None:
    ada.run("checkout", "--link", "hardlink")
    ben.run("checkout", "--link", "hardlink")

    mine, theirs = ((each.root / "data/large.bin").stat() for each in (ada, ben))
    assert mine.st_nlink == 2
    assert (theirs.st_nlink, theirs.st_uid) == (1, ben.uid)


def test_a_damaged_object_of_another_user_is_noticed_and_set_aside(ben: Person, cache: Path) -> None:
    loose = next(path for path in (cache / "objects").rglob("*") if path.is_file())
    loose.chmod(0o644)
    loose.write_bytes(loose.read_bytes()[:-1] + b"\0")

    result = ben.run("--json", "checkout", expect=3)

    assert result.failed == {"data/large.bin": "corrupt-object"}
    assert not loose.exists()
    assert len(list((cache / "quarantine").iterdir())) == 1
    assert not (ben.root / "data/large.bin").exists()


def test_a_user_waits_for_another_ones_lock_and_is_told_for_whom(
    ada: Person, ben: Person, cache: Path
) -> None:
    holder = subprocess.Popen(
        [*ada.under, "flock", "--no-fork", str(cache / "lock"), "sh", "-c", "echo held; exec sleep 60"],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        result = ben.run("--lock-timeout", "0", "checkout", expect=5)
    finally:
        holder.kill()
        holder.communicate()

    assert result.code == "lock-timeout"
    assert f"process {holder.pid} on {os.uname().nodename}: sleep 60" in result.text


# -- caches that may only be read -------------------------------------------------------------------


@pytest.fixture
def reader(folder: Path, ada: Person, cache: Path) -> Person:
    """Give a user who may read the cache of another one's, a remote beside it, and not write."""
    store = folder / "store"
    store.mkdir(mode=0o777)
    store.chmod(0o777)
    eve = person(folder, "eve", 40_003, cache)
    eve.clone(ada)
    cache.chmod(0o555)
    for path in cache.rglob("*"):
        if path.is_dir():
            path.chmod(0o555)
    return eve


def test_a_cache_that_may_only_be_read_serves_whoever_reads(
    reader: Person, cache: Path, folder: Path
) -> None:
    before = picture(cache)

    reader.run("checkout")
    assert reader.run("status", "--exit-code").exit == 0
    assert reader.run("diff", "HEAD").exit == 0
    assert reader.run("cat", "data/small.txt").stdout == "small\n"
    assert reader.run("ls", "data").exit == 0
    reader.run("remote", "add", "origin", str(folder / "store"))
    reader.run("push")

    assert (reader.root / "data/large.bin").read_bytes() == _LARGE
    assert picture(cache) == before


@pytest.mark.parametrize("name", ["small", "large"])
def test_add_to_a_cache_that_may_only_be_read_says_so_and_changes_nothing(
    reader: Person, cache: Path, name: str
) -> None:
    reader.run("checkout")
    reader.write(f"data/new {name}", blob(9, 100 if name == "small" else 100_000))
    pointer = (reader.root / "data.dv").read_bytes()
    before = picture(cache)

    result = reader.run("add", "data", expect=7)

    assert result.code == "permission"
    assert str(cache) in result.stderr
    assert picture(cache) == before
    assert (reader.root / "data.dv").read_bytes() == pointer


def test_fetch_into_a_cache_that_may_only_be_read_says_so_and_changes_nothing(
    published: Project, folder: Path, cache: Path
) -> None:
    clone = published.clone("other")
    empty = folder / "empty"
    empty.mkdir(mode=0o555)
    reader = replace(
        clone,
        env={**clone.env, "DATAVER_CACHE__DIR": str(empty)},
        under=("setpriv", "--bounding-set=-dac_override"),
    )

    result = reader.run("fetch", expect=7)

    assert result.code == PermissionDeniedError.code
    assert list(empty.iterdir()) == []


@pytest.fixture
def read_only_disk(tracked: Project) -> Iterator[Project]:
    """Give a project whose cache lies on a disk that is mounted read-only."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    where = str(tracked.cache)
    if subprocess.run(["mount", "--bind", where, where], check=False, capture_output=True).returncode:
        pytest.skip("no right to mount here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", where], check=True, capture_output=True)
        yield tracked
    finally:
        subprocess.run(["umount", where], check=True)


def test_a_cache_on_a_read_only_disk_serves_checkout_and_push(
    read_only_disk: Project, tmp_path: Path
) -> None:
    project = read_only_disk
    (project.root / "data/a.txt").unlink()

    project.run("checkout")
    project.run("remote", "add", "origin", str(tmp_path / "store"))
    project.run("push")

    assert project.read("data/a.txt") == "alpha\n"


def test_add_to_a_cache_on_a_read_only_disk_says_so(read_only_disk: Project) -> None:
    read_only_disk.write({"data/new.txt": "new\n"})

    result = read_only_disk.run("add", "data", expect=7)

    assert result.code == "permission"


def test_a_damaged_object_on_a_read_only_disk_is_called_damaged(tracked: Project) -> None:
    loose = tracked.loose("data/big.bin")
    loose.chmod(0o644)
    loose.write_bytes(loose.read_bytes()[:-1] + b"\0")
    loose.chmod(0o444)
    (tracked.root / "data/big.bin").unlink()
    for path in [tracked.cache, *tracked.cache.rglob("*")]:
        if path.is_dir():
            path.chmod(0o555)
    reader = replace(tracked, under=("setpriv", "--bounding-set=-dac_override"))

    result = reader.run("--json", "checkout", expect=3)

    assert result.failed == {"data/big.bin": "corrupt-object"}
