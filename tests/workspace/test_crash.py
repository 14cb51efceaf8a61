"""`add` killed at any step, or cut off by a power loss, leaves the files alone and no pointer to nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.formats.pointer import decode_pointer
from dataver.store.cache import Cache
from dataver.store.trees import Trees
from tests.simulation.disk import SimulatedDisk
from tests.simulation.power import Crash, Fault
from tests.workspace.sandbox import LARGE, Sandbox, new_sandbox, noise

NEW: Mapping[str, str | bytes] = {"data/large": noise(5, LARGE), "data/small": "small\n", "data/sub/x": "x\n"}


@pytest.fixture
def template(tmp_path: Path, isolated_machine: Path) -> Sandbox:
    box = new_sandbox(tmp_path / "template")
    box.write(NEW)
    return box


def _stats(box: Sandbox) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for name in NEW:
        st = os.stat(box.top / name)
        found[name] = (st.st_ino, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_mode)
    return found


def _steps(template: Sandbox, top: Path) -> list[str]:
    box = _copied(template, top)
    disk = SimulatedDisk(top.parent / "limbo")
    box.add("data", disk=disk)
    disk.settle()
    return disk.power.steps


def _copied(template: Sandbox, top: Path) -> Sandbox:
    shutil.copytree(template.top, top, symlinks=True)
    return Sandbox(top)


def test_killed_at_any_step_the_files_are_as_they_were_and_adding_again_works(
    template: Sandbox, tmp_path: Path
) -> None:
    steps = _steps(template, tmp_path / "counted")

    for number in range(len(steps)):
        box = _copied(template, tmp_path / f"killed-{number}")
        before = _stats(box)
        disk = SimulatedDisk(tmp_path / "limbo")
        disk.power.arm(Fault("crash", number))
        with pytest.raises(Crash):
            box.add("data", disk=disk)
        disk.recover(0, is_power_lost=False)

        assert _stats(box) == before
        _check_pointer(box.top, box.cache)
        assert box.add("data").failed == ()
        assert box.changes() == {}


def test_after_a_power_loss_a_pointer_names_only_what_is_there(template: Sandbox, tmp_path: Path) -> None:
    steps = _steps(template, tmp_path / "counted")

    for number in range(len(steps) + 1):
        box = _copied(template, tmp_path / f"work-{number}")
        disk = SimulatedDisk(tmp_path / "limbo")
        disk.power.arm(Fault("crash", number))
        try:
            box.add("data", disk=disk)
        except Crash:
            pass
        disk.recover(number, is_power_lost=True)

        _check_pointer(box.top, box.cache)


def _check_pointer(top: Path, folder: Path) -> None:
    """Check that the pointer, where there is one, names data that is complete in the cache."""
    if not (top / "data.dv").exists():
        return
    pointer = decode_pointer((top / "data.dv").read_bytes(), "data.dv")
    cache = Cache(str(folder), Disk())
    try:
        found = {e.path: bytes(cache.read(name)) for name, e in Trees(cache).blobs(pointer.root_id)}
    finally:
        cache.close()
    expected = {
        n.removeprefix("data/").encode(): c if isinstance(c, bytes) else c.encode() for n, c in NEW.items()
    }
    assert found == expected
