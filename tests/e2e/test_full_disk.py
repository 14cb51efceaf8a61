"""A disk that is full: asked before a transfer, and whatever the moment, nothing broken and nothing left."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.project import Project, blob, new_project, picture, publish

_MEGABYTE = 1_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give the top of a file system of a few megabytes."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _fill(folder: Path, leave: int) -> Path:
    """Fill the disk of *folder* until *leave* bytes are free; return the file to delete for more room."""
    filler = folder / "filler"
    page = b"\1" * 4096
    with filler.open("ab", buffering=0) as file:
        while _free(folder) > leave:
            file.write(page)
    return filler


def _temp_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if ".dataver-tmp-" in path.name]


def _with_cache(project: Project, cache: Path) -> Project:
    return replace(project, env={**project.env, "DATAVER_CACHE__DIR": str(cache)})


# -- before anything is written ---------------------------------------------------------------------


def test_add_says_what_it_needs_before_it_fills_another_disk(project: Project, small_disk: Path) -> None:
    project = _with_cache(project, small_disk / "cache")
    project.write({f"data/{n}.bin": blob(n, 3 * _MEGABYTE) for n in range(3)})

    result = project.run("add", "data", expect=7)

    assert result.code == "disk-full"
    assert "need 9.0 MB" in result.stderr
    assert "free" in result.stderr
    assert not [p for p in (small_disk / "cache").rglob("*") if p.is_file() and p.stat().st_size > 1000]
    assert not (project.root / "data.dv").exists()


def test_fetch_says_what_it_needs_before_it_fills_the_caches_disk(project: Project, small_disk: Path) -> None:
    project.write({f"data/{n}.bin": blob(n, 3 * _MEGABYTE) for n in range(3)})
    project.record("data")
    publish(project)
    clone = _with_cache(project.clone("other"), small_disk / "cache")

    result = clone.run("fetch", expect=7)

    assert result.code == "disk-full"
    assert "need 9.0 MB" in result.stderr
    assert _temp_files(small_disk) == []


def test_checkout_says_what_it_needs_before_it_fills_the_workspaces_disk(
    project: Project, small_disk: Path
) -> None:
    project = _with_cache(project, project.root.parent / "cache")
    project.write({f"data/{n}.bin": blob(n, 3 * _MEGABYTE) for n in range(3)})
    project.record("data")
    small = replace(project, root=small_disk / "churn")
    small_disk.joinpath("churn").mkdir()
    small.git("clone", "-q", str(project.root), ".")

    result = small.run("checkout", expect=7)

    assert result.code == "disk-full"
    assert "free" in result.stderr
    assert not (small.root / "data").exists()


# -- at any moment ----------------------------------------------------------------------------------


@pytest.fixture
def small(small_disk: Path, tmp_path: Path) -> Project:
    """Give a project that lies on the small disk with its cache: many small files, recorded twice."""
    project = new_project(small_disk / "churn", tmp_path / "home")
    project.write({f"data/{n:03}.bin": blob(n, 4_000) for n in range(60)})
    project.record("data", tag="v1")
    project.write({f"data/{n:03}.bin": blob(1000 + n, 6_000) for n in range(60)})
    return project


_LEFT = (0, 16, 128)
"""Kilobytes that are free when a command starts."""


@pytest.mark.parametrize("left", _LEFT)
def test_add_on_a_disk_that_fills_ends_whole_or_as_if_it_never_began(small: Project, left: int) -> None:
    before = picture(small.root / "data")
    filler = _fill(small.root.parent, left * 1024)

    result = small.run("--json", "add", "data", expect=None)

    assert result.exit in (0, 7)
    assert result.exit == 0 or result.code == "disk-full"
    assert picture(small.root / "data") == before
    assert _temp_files(small.root) == []
    filler.unlink()
    assert small.run("checkout", "v1", "--to", "old").exit == 0
    small.run("add", "data")
    assert small.run("status", "--exit-code", expect=None).exit in (0, 1)


@pytest.mark.parametrize("left", _LEFT)
def test_checkout_on_a_disk_that_fills_loses_nothing(small: Project, left: int) -> None:
    small.record("data", tag="v2")
    files = {n: (small.root / f"data/{n:03}.bin").read_bytes() for n in range(60)}
    small.git("checkout", "-q", "v1")
    filler = _fill(small.root.parent, left * 1024)

    result = small.run("--json", "checkout", expect=None)

    assert result.exit in (0, 7)
    assert result.exit == 0 or result.code == "disk-full"
    assert _temp_files(small.root) == []
    for number, old in files.items():
        assert (small.root / f"data/{number:03}.bin").read_bytes() in (old, blob(number, 4_000))
    filler.unlink()
    small.run("checkout")
    assert small.changes() == {}


@pytest.mark.parametrize("left", _LEFT)
def test_fetch_on_a_disk_that_fills_leaves_no_temp_file_and_can_be_run_again(
    small: Project, tmp_path: Path, left: int
) -> None:
    small.record("data", tag="v2")
    (tmp_path / "store").mkdir()
    small.run("remote", "add", "origin", str(tmp_path / "store"))
    small.run("push", "--all")
    small.drop_cache()
    filler = _fill(small.root.parent, left * 1024)

    result = small.run("--json", "fetch", expect=None)

    assert result.exit in (0, 7)
    assert result.exit == 0 or result.code == "disk-full"
    assert _temp_files(small.root) == []
    filler.unlink()
    small.run("pull")
    assert small.changes() == {}


def test_a_first_checkout_on_a_disk_that_fills_leaves_whole_files_only(small: Project) -> None:
    # Tiny files take more room than they have bytes: nobody knows before.
    small.write({f"tiny/{n % 3}/{n:03}.bin": f"{n}" for n in range(90)})
    small.record("tiny")
    shutil.rmtree(small.root / "tiny")
    filler = _fill(small.root.parent, 160 * 1024)

    result = small.run("--json", "checkout", "tiny", expect=7)

    assert result.code == "disk-full"
    assert _temp_files(small.root) == []
    files = list((small.root / "tiny").rglob("*.bin"))
    assert {path.read_text() for path in files} == {str(int(path.stem)) for path in files}
    filler.unlink()
    small.run("checkout", "tiny")
    assert small.changes("tiny") == {}


# -- what makes room works --------------------------------------------------------------------------


def test_checkout_of_a_smaller_version_makes_room_on_a_full_disk(small: Project) -> None:
    small.write({f"data/more{n}.bin": blob(n, 10_000) for n in range(20)})
    small.record("data", tag="v2")
    small.git("checkout", "-q", "v1")
    _fill(small.root.parent, 0)

    small.run("checkout", "--force")

    assert not (small.root / "data/more0.bin").exists()
    assert small.changes() == {}


def test_forced_checkout_on_a_full_disk_keeps_what_is_nowhere_else(small: Project) -> None:
    small.write({f"data/more{n}.bin": blob(n, 10_000) for n in range(20)})
    small.record("data", tag="v2")
    small.write({"data/000.bin": "written just now\n"})
    small.git("checkout", "-q", "v1")
    _fill(small.root.parent, 0)

    small.run("checkout", "--force")

    kept = [path.read_text() for path in (small.local / "trash").rglob("000.bin")]
    assert kept == ["written just now\n"]
    assert small.changes() == {}


def test_status_and_diff_answer_on_a_full_disk(small: Project) -> None:
    _fill(small.root.parent, 0)

    assert small.run("status").exit == 0
    assert small.run("diff").exit == 0
