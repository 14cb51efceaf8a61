"""Files that appear whole or not at all, through kills, power loss and failing disks."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dataver.disk import atomic
from dataver.disk.disk import Clock, Disk, StrOrBytes
from dataver.errors import DiskFullError, LocalIOError, PermissionDeniedError
from tests.simulation.disk import SimulatedDisk
from tests.simulation.power import Crash, Fault, Power

DATA = b"all of it" * 1000


def _disk(folder: Path, fail: dict[str, OSError] | None = None) -> SimulatedDisk:
    """Return a disk whose calls in *fail* fail once."""
    power = Power()
    power.fail_once = fail or {}
    return SimulatedDisk(folder.parent / f"limbo-{folder.name}", power)


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def _temps(disk: Disk, folder: Path, count: int) -> list[tuple[StrOrBytes, StrOrBytes]]:
    pairs: list[tuple[StrOrBytes, StrOrBytes]] = []
    for number in range(count):
        temp = atomic.temp_name(str(folder))
        fd = disk.create(temp)
        disk.write(fd, DATA)
        os.close(fd)
        pairs.append((temp, str(folder / f"object{number}")))
    return pairs


# -- write_new


def test_write_new_makes_a_file_and_leaves_no_temp_file(tmp_path: Path) -> None:
    atomic.write_new(Disk(), str(tmp_path / "a"), DATA)

    assert (tmp_path / "a").read_bytes() == DATA
    assert _names(tmp_path) == ["a"]


def test_write_new_takes_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9"

    atomic.write_new(Disk(), path, DATA)

    assert os.listdir(os.fsencode(tmp_path)) == [b"caf\xe9"]


def test_write_new_refuses_a_name_that_exists(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"first")

    with pytest.raises(FileExistsError):
        atomic.write_new(Disk(), str(tmp_path / "a"), DATA)

    assert (tmp_path / "a").read_bytes() == b"first"
    assert _names(tmp_path) == ["a"]


def test_write_new_refuses_a_dangling_symlink(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FileExistsError):
        atomic.write_new(Disk(), str(tmp_path / "a"), DATA)

    assert not (tmp_path / "elsewhere").exists()


def test_of_many_processes_that_write_one_new_name_exactly_one_wins(tmp_path: Path) -> None:
    path = str(tmp_path / "entry")
    children = []
    for number in range(8):
        pid = os.fork()
        if pid == 0:
            try:
                atomic.write_new(Disk(), path, f"{number}".encode())
            except FileExistsError:
                os._exit(1)
            os._exit(0)
        children.append(pid)

    statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]

    assert sorted(statuses) == [0] + [1] * 7
    assert _names(tmp_path) == ["entry"]


@pytest.mark.parametrize("seed", range(5))
def test_write_new_is_whole_or_absent_after_power_loss_at_any_step(tmp_path: Path, seed: int) -> None:
    def act(disk: Disk, root: Path) -> None:
        atomic.write_new(disk, str(root / "a"), DATA)

    def check(found: Path, *, is_done: bool) -> None:
        if is_done or (found / "a").exists():
            assert (found / "a").read_bytes() == DATA

    _crash_everywhere(tmp_path, act, check, seed)


def _crash_everywhere(
    tmp_path: Path, act: Callable[[Disk, Path], None], check: Callable[..., None], seed: int
) -> None:
    """Crash before each step in turn, and check what the kill and the power loss leave."""
    is_done = False
    step = 0
    while not is_done:
        root = tmp_path / f"root{step}"
        root.mkdir()
        disk = SimulatedDisk(tmp_path / "limbo")
        disk.power.arm(Fault("crash", step))
        try:
            act(disk, root)
            is_done = True
        except Crash:
            pass
        check(root, is_done=is_done)
        disk.recover(seed * 1000 + step, is_power_lost=True)
        check(root, is_done=is_done)
        step += 1
    assert step > 3


@pytest.mark.parametrize("step", ["write", "sync", "rename_new", "sync_folder"])
def test_a_full_disk_at_any_step_leaves_nothing_and_is_named(tmp_path: Path, step: str) -> None:
    disk = _disk(tmp_path, {step: OSError(errno.ENOSPC, "full")})

    with pytest.raises(DiskFullError) as caught:
        atomic.write_new(disk, str(tmp_path / "a"), DATA)

    assert str(tmp_path / "a") in caught.value.message
    assert [name for name in _names(tmp_path) if name != "a"] == []
    disk.settle()


def test_a_failed_sync_is_not_tried_again(tmp_path: Path) -> None:
    disk = _disk(tmp_path, {"sync": OSError(errno.EIO, "bad")})

    with pytest.raises(LocalIOError):
        atomic.write_new(disk, str(tmp_path / "a"), DATA)

    assert disk.power.steps.count("sync") == 1
    assert "rename_new" not in disk.power.steps
    disk.settle()


def test_no_permission_is_named(tmp_path: Path) -> None:
    disk = _disk(tmp_path, {"create": OSError(errno.EROFS, "read-only")})

    with pytest.raises(PermissionDeniedError, match="no permission to write"):
        atomic.write_new(disk, str(tmp_path / "a"), DATA)


# -- replace


def test_replace_keeps_the_permission_bits(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"old")
    path.chmod(0o640)

    atomic.replace(Disk(), str(path), DATA)

    assert path.read_bytes() == DATA
    assert path.stat().st_mode & 0o7777 == 0o640


def test_replace_gives_a_new_file_the_mode_under_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic.replace(Disk(), str(tmp_path / "a"), DATA, mode=0o666)
    finally:
        os.umask(before)

    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o640


def test_replace_works_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    atomic.replace(Disk(), b"here", DATA, durable=False)

    assert (tmp_path / "here").read_bytes() == DATA


@pytest.mark.parametrize("seed", range(5))
def test_replace_leaves_the_old_or_the_new_after_power_loss_at_any_step(tmp_path: Path, seed: int) -> None:
    def act(disk: Disk, root: Path) -> None:
        atomic.write_new(disk, str(root / "a"), b"old")
        atomic.replace(disk, str(root / "a"), DATA)

    def check(found: Path, *, is_done: bool) -> None:
        allowed = [DATA] if is_done else [b"old", DATA]
        assert not (found / "a").exists() or (found / "a").read_bytes() in allowed

    _crash_everywhere(tmp_path, act, check, seed)


# -- publish_many


@pytest.mark.parametrize("seed", range(5))
def test_published_objects_are_whole_or_absent_after_power_loss_at_any_step(
    tmp_path: Path, seed: int
) -> None:
    def act(disk: Disk, root: Path) -> None:
        assert atomic.publish_many(disk, _temps(disk, root, 3)) == 3

    def check(found: Path, *, is_done: bool) -> None:
        for number in range(3):
            path = found / f"object{number}"
            if is_done or path.exists():
                assert path.read_bytes() == DATA

    _crash_everywhere(tmp_path, act, check, seed)


def test_many_objects_share_one_sync_of_the_disk(tmp_path: Path) -> None:
    disk = _disk(tmp_path)

    atomic.publish_many(disk, _temps(disk, tmp_path, 10))

    assert disk.power.steps.count("sync_filesystem") == 1
    assert disk.power.steps.count("sync_folder") == 1
    assert "sync" not in disk.power.steps
    disk.settle()


def test_an_object_that_is_there_already_is_kept_and_its_folder_synced(tmp_path: Path) -> None:
    disk = _disk(tmp_path)
    pairs = _temps(disk, tmp_path, 1)
    (tmp_path / "object0").write_bytes(DATA)
    present = (tmp_path / "object0").stat().st_ino

    new = atomic.publish_many(disk, pairs)

    assert new == 0
    assert (tmp_path / "object0").stat().st_ino == present
    assert _names(tmp_path) == ["object0"]
    assert disk.power.steps[-1] == "sync_folder"
    disk.settle()


def test_a_present_object_of_another_size_is_damage_and_is_replaced(tmp_path: Path) -> None:
    disk = Disk()
    pairs = _temps(disk, tmp_path, 1)
    (tmp_path / "object0").write_bytes(b"torn")

    assert atomic.publish_many(disk, pairs) == 1

    assert (tmp_path / "object0").read_bytes() == DATA


def test_when_the_sync_fails_no_object_gets_its_name(tmp_path: Path) -> None:
    disk = _disk(tmp_path, {"sync_filesystem": OSError(errno.EIO, "bad")})
    pairs = _temps(disk, tmp_path, 3)

    with pytest.raises(LocalIOError):
        atomic.publish_many(disk, pairs)

    assert _names(tmp_path) == []
    disk.settle()


def test_when_one_rename_fails_no_temp_file_stays(tmp_path: Path) -> None:
    disk = _disk(tmp_path, {"rename_new": OSError(errno.EIO, "bad")})
    pairs = _temps(disk, tmp_path, 3)

    with pytest.raises(LocalIOError):
        atomic.publish_many(disk, pairs)

    assert _names(tmp_path) == []
    disk.settle()


def test_publishing_nothing_does_nothing(tmp_path: Path) -> None:
    disk = _disk(tmp_path)

    assert atomic.publish_many(disk, []) == 0

    assert disk.power.steps == []


# -- folders and left-over temp files


def test_make_folders_makes_parents_and_accepts_what_is_there(tmp_path: Path) -> None:
    atomic.make_folders(Disk(), str(tmp_path / "a" / "b" / "c"))
    atomic.make_folders(Disk(), str(tmp_path / "a" / "b" / "c"))

    assert (tmp_path / "a" / "b" / "c").is_dir()


def test_make_folders_refuses_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")

    with pytest.raises(LocalIOError):
        atomic.make_folders(Disk(), str(tmp_path / "a" / "b"))


class _Later(Clock):
    def now_s(self) -> float:
        return super().now_s() + 7200


def test_sweep_removes_old_temp_files_only(tmp_path: Path) -> None:
    (tmp_path / (atomic.TEMP_PREFIX + "dead")).write_bytes(b"x")
    (tmp_path / "data").write_bytes(b"x")

    young = atomic.sweep_temp(Disk(), str(tmp_path), 3600)
    old = atomic.sweep_temp(Disk(), str(tmp_path), 3600, clock=_Later())

    assert (young, old) == (0, 1)
    assert _names(tmp_path) == ["data"]


def test_sweep_of_a_missing_folder_finds_nothing(tmp_path: Path) -> None:
    assert atomic.sweep_temp(Disk(), str(tmp_path / "none"), 0) == 0
