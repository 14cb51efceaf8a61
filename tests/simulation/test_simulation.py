"""The simulation itself: what it loses, what it keeps, and that one seed replays a failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dataver.disk import atomic
from dataver.errors import DiskFullError, OfflineError
from dataver.store.memory import MemoryBucket
from tests.simulation.bucket import SimulatedBucket
from tests.simulation.clock import SimulatedClock
from tests.simulation.disk import SimulatedDisk
from tests.simulation.model import tree_on_disk
from tests.simulation.power import Crash, Fault, Power

SEEDS = range(60)


def _after(tmp_path: Path, seed: int, *, is_synced: bool) -> set[str]:
    """Write two files, one in the place of another, lose power, and return the states of `new` and `old`."""
    folder = tmp_path / f"folder{seed}"
    folder.mkdir()
    (folder / "old").write_bytes(b"before")
    disk = SimulatedDisk(tmp_path / "limbo")
    for name in ("new", "old"):
        atomic.replace(disk, str(folder / name), b"after", durable=is_synced)
    disk.recover(seed, is_power_lost=True)
    found = tree_on_disk(folder)
    return {
        f"{name} {found[name.encode()][1] if name.encode() in found else None!r}" for name in ("new", "old")
    }


def test_what_was_not_synced_is_lost_torn_or_kept(tmp_path: Path) -> None:
    seen = set[str]().union(*(_after(tmp_path, seed, is_synced=False) for seed in SEEDS))

    assert {"new None", "new b'after'", "new b''", "old b'before'", "old b'after'"} <= seen
    assert "old None" not in seen


def test_what_was_synced_stays(tmp_path: Path) -> None:
    seen = set[str]().union(*(_after(tmp_path, seed, is_synced=True) for seed in SEEDS))

    assert seen == {"new b'after'", "old b'after'"}


def test_a_rename_of_a_folder_is_undone_with_what_came_into_it_later(tmp_path: Path) -> None:
    seen = set()
    for seed in SEEDS:
        top = tmp_path / f"top{seed}"
        top.mkdir()
        disk = SimulatedDisk(tmp_path / "limbo")
        disk.mkdir(str(top / "a"))
        disk.sync_folder(str(top))
        os.close(disk.create(str(top / "a" / "x")))
        disk.rename(str(top / "a"), str(top / "b"))
        os.close(disk.create(str(top / "b" / "y")))
        disk.recover(seed, is_power_lost=True)
        seen.add(" ".join(sorted(str(p.relative_to(top)) for p in top.rglob("*"))))

    assert seen <= {"a", "a a/x", "b", "b b/x", "b b/y", "b b/x b/y"}
    assert len(seen) >= 4


def test_bytes_whose_sync_failed_are_lost_whatever_a_later_sync_says(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    disk = SimulatedDisk(tmp_path / "limbo")
    fd = disk.create(str(tmp_path / "work" / "a"))
    disk.write(fd, b"bytes")
    disk.power.fail_once = {"sync": OSError(5, "input/output error")}
    with pytest.raises(OSError, match="input"):
        disk.sync(fd)
    disk.sync(fd)
    disk.sync_folder(str(tmp_path / "work"))
    os.close(fd)

    disk.recover(3, is_power_lost=True)

    assert (tmp_path / "work" / "a").read_bytes() != b"bytes"


def test_a_killed_process_loses_nothing_that_was_written(tmp_path: Path) -> None:
    disk = SimulatedDisk(tmp_path / "limbo")
    atomic.replace(disk, str(tmp_path / "a"), b"bytes", durable=False)

    disk.recover(0, is_power_lost=False)

    assert (tmp_path / "a").read_bytes() == b"bytes"


def test_nothing_is_written_after_a_crash(tmp_path: Path) -> None:
    disk = SimulatedDisk(tmp_path / "limbo")
    disk.power.arm(Fault("crash", 1))

    with pytest.raises(Crash):
        atomic.write_new(disk, str(tmp_path / "a"), b"bytes")

    assert len([name for name in os.listdir(tmp_path) if name.startswith(atomic.TEMP_PREFIX)]) == 1
    with pytest.raises(Crash):
        disk.mkdir(str(tmp_path / "b"))


def test_a_full_disk_stays_full_and_lets_go_of_files(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"")
    disk = SimulatedDisk(tmp_path / "limbo")
    disk.power.arm(Fault("full", 0))

    for _ in range(2):
        with pytest.raises(DiskFullError):
            atomic.write_new(disk, str(tmp_path / "a"), b"bytes")
    disk.unlink(str(tmp_path / "old"))

    assert not (tmp_path / "old").exists()


@pytest.mark.parametrize(
    ("kind", "is_there"), [("lost-before", False), ("lost-after", True), ("throttled", False)]
)
def test_a_lost_answer_tells_nothing_of_what_was_done(kind: str, is_there: bool) -> None:
    power = Power()
    bucket = SimulatedBucket(MemoryBucket(), power, SimulatedClock())
    power.arm(Fault(kind, 0))

    with pytest.raises(OfflineError):
        bucket.put_new("packs/a", b"bytes")

    assert (bucket.keys() == ["packs/a"]) is is_there


@pytest.mark.parametrize("kind", ["truncated", "flipped"])
def test_a_seed_garbles_the_same_body_the_same_way(kind: str) -> None:
    power = Power()
    bucket = SimulatedBucket(MemoryBucket(), power, SimulatedClock())
    bucket.put("packs/a", bytes(100))
    seen = []
    for seed in (1, 1, 2):
        power.arm(Fault(kind, 0, seed))
        seen.append(bucket.get("packs/a"))

    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    assert bytes(100) not in seen
    assert bucket.get("packs/a") == bytes(100)


def test_a_listing_lags_behind_and_everything_else_does_not() -> None:
    clock = SimulatedClock()
    bucket = SimulatedBucket(MemoryBucket(), Power(), clock, lag_s=60.0)
    bucket.put("packs/a", b"")
    bucket.put("packs/b", b"")
    clock.sleep(100.0)
    bucket.delete(["packs/a"])
    bucket.put("packs/c", b"")

    listed = [info.key for info in bucket.list("packs/")]

    assert listed == ["packs/a", "packs/b"]
    assert bucket.head("packs/c") is not None
    assert bucket.head("packs/a") is None


def test_the_clock_goes_back_and_the_monotonic_one_does_not() -> None:
    clock = SimulatedClock()
    then, steady = clock.now_s(), clock.monotonic()

    clock.jump(-3600.0)
    clock.sleep(10.0)

    assert clock.now_s() < then
    assert clock.monotonic() >= steady + 10.0
