"""`add` killed at any step, or cut off by a power loss, leaves the files alone and no pointer to nothing;
`checkout` killed at any step leaves every file whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.formats.pointer import decode_pointer
from dataver.ops.checkout import checkout
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


def _checkout(box: Sandbox, disk: Disk) -> None:
    with box.repo(disk=disk) as repo:
        checkout(repo, None, ())


def test_killed_at_any_step_checkout_leaves_each_file_as_it_was_or_as_it_has_to_be(
    template: Sandbox, tmp_path: Path
) -> None:
    template.record("data", tag="v1")
    new = {"data/large": noise(6, LARGE), "data/small": b"changed\n", "data/sub/x": b"y\n"}
    template.write(new)
    template.record("data")
    old = {name: c if isinstance(c, bytes) else c.encode() for name, c in NEW.items()}
    template.git("switch", "-q", "--detach", "v1")
    counted = SimulatedDisk(tmp_path / "limbo-counted")
    _checkout(_copied(template, tmp_path / "counted"), counted)

    for number in range(len(counted.power.steps)):
        box = _copied(template, tmp_path / f"killed-{number}")
        disk = SimulatedDisk(tmp_path / "limbo")
        disk.power.arm(Fault("crash", number))
        with pytest.raises(Crash):
            _checkout(box, disk)
        disk.recover(0, is_power_lost=False)

        assert [name for name in NEW if box.read(name) not in (old[name], new[name])] == []
        assert box.checkout().failed == ()
        assert {name: box.read(name) for name in NEW} == old


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
