"""What nothing needs goes, what is needed stays, whatever stops the sweep on its way."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dataver.disk.disk import Clock, Disk
from dataver.formats.redaction import Erased
from dataver.formats.tree import decode_leaf
from dataver.hashing import BLAKE3, digest
from dataver.model.names import Oid, blob_name, leaf_name, oid_of_digest
from dataver.store.cache import Cache
from dataver.store.cache_marks import NameSet, key_of, mark
from dataver.store.sweep import Swept, apply_sweep
from dataver.store.sweep_plan import Rule, loose_blobs, plan_sweep
from dataver.store.trash import Trash
from dataver.store.trees import Trees
from tests.simulation.disk import SimulatedDisk
from tests.simulation.power import Crash, Fault
from tests.store.trees_at_hand import contents, put_tree

LIVE = {"a": b"a" * 50, "b": b"b" * 60, "large": b"L" * 2000}
DEAD = {"a": b"a" * 50, "x": b"x" * 70, "huge": b"H" * 3000}


class Later(Clock):
    """A clock some hours on: what was written before is no longer young."""

    def __init__(self, hours: float = 2) -> None:
        self.hours = hours

    def now_s(self) -> float:
        return time.time() + self.hours * 3600


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    made = Cache(str(tmp_path / "cache"), Disk())
    yield made
    made.close()


def rule_for(cache: Cache, roots: Iterable[bytes], *, hours: float = 2, is_final: bool = False) -> Rule:
    return Rule(
        live=mark(cache, roots).names,
        keeps_contents=False,
        now_s=Later(hours).now_s(),
        young_s=3600,
        is_final=is_final,
    )


def sweep(cache: Cache, rule: Rule, clock: Clock | None = None) -> Swept:
    trash = Trash(cache, clock or Later())
    return apply_sweep(cache, plan_sweep(cache, rule), trash, is_final=rule.is_final)


def oid_of(content: bytes) -> Oid:
    return oid_of_digest(BLAKE3, digest(BLAKE3, content))


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# -- marks


def test_a_tree_needs_its_root_its_leaves_and_its_contents(cache: Cache) -> None:
    root = put_tree(cache, LIVE, leaf_size=2)

    found = mark(cache, [root])

    assert found.lost == []
    assert all(blob_name(oid_of(content)) in found.names for content in LIVE.values())
    assert blob_name(oid_of(DEAD["x"])) not in found.names


def test_a_leaf_that_is_not_here_is_told(cache: Cache, tmp_path: Path) -> None:
    root = put_tree(cache, LIVE)
    for pack in (tmp_path / "cache/packs").glob("s-*"):
        pack.unlink()
    cache.refresh()

    assert len(mark(cache, [root]).lost) == 1


def test_erased_content_is_not_needed(cache: Cache) -> None:
    root = put_tree(cache, LIVE)
    leaf_id = Trees(cache).root(root).leaves[0].leaf_id
    leaf = decode_leaf(bytes(cache.read(leaf_name(leaf_id))), leaf_id)
    erased = Erased(frozenset([leaf.commitments[0]]), {})

    found = mark(cache, [root], erased=erased)

    assert blob_name(oid_of(LIVE["a"])) not in found.names
    assert blob_name(oid_of(LIVE["b"])) in found.names


def test_many_names_are_found_as_few_are(cache: Cache) -> None:
    put_tree(cache, {f"{n:04}": b"%d" % n for n in range(300)})
    names = [row.name for pack in cache.packs(structure=False) for row in pack.table.rows()]
    few, many = NameSet(), NameSet()
    few.add(b"".join(key_of(name) for name in names[::3]))
    many.add(b"".join(key_of(name) for name in names[::3]))
    many.add(hashlib.shake_128(b"others").digest(8 * 60_000))

    for pack in cache.packs(structure=False):
        assert many.rows(pack.table) == few.rows(pack.table)
    assert [name in many for name in names] == [name in few for name in names]
    rest = many.without(few)
    assert not any(name in rest for name in names)


# -- sweeping


def test_what_nothing_needs_is_set_aside_and_the_rest_stays(cache: Cache) -> None:
    root, dead = put_tree(cache, LIVE), put_tree(cache, DEAD)

    sweep(cache, rule_for(cache, [root]))

    assert contents(cache, root) == LIVE
    assert cache.missing([blob_name(oid_of(DEAD[n])) for n in ("x", "huge")])
    assert mark(cache, [dead]).lost


def test_what_is_set_aside_comes_back_whole(cache: Cache) -> None:
    root, dead = put_tree(cache, LIVE), put_tree(cache, DEAD)
    sweep(cache, rule_for(cache, [root]))
    trash = Trash(cache, Later())

    trash.restore(trash.files())

    assert contents(cache, dead) == DEAD
    assert trash.files() == []


def test_a_final_sweep_leaves_nothing_behind(cache: Cache, tmp_path: Path) -> None:
    root = put_tree(cache, LIVE)
    put_tree(cache, DEAD)

    sweep(cache, rule_for(cache, [root], is_final=True))

    packs = files_below(tmp_path / "cache/packs")
    assert (len(packs), len(files_below(tmp_path / "cache/objects"))) == (2, 1)
    assert not (tmp_path / "cache/trash").exists()


def test_what_was_just_written_stays(cache: Cache) -> None:
    root, dead = put_tree(cache, LIVE), put_tree(cache, DEAD)

    sweep(cache, rule_for(cache, [root], hours=0.5))

    assert contents(cache, dead) == DEAD


def test_what_was_written_in_the_future_counts_as_young(cache: Cache) -> None:
    root, dead = put_tree(cache, LIVE), put_tree(cache, DEAD)

    sweep(cache, rule_for(cache, [root], hours=-48))

    assert contents(cache, dead) == DEAD


def test_contents_stay_while_it_is_not_known_what_is_needed(cache: Cache) -> None:
    root = put_tree(cache, LIVE)
    put_tree(cache, DEAD)

    sweep(cache, replace(rule_for(cache, [root]), keeps_contents=True))

    assert cache.missing([blob_name(oid_of(content)) for content in DEAD.values()]) == []
    assert contents(cache, root) == LIVE


def _mixed(cache: Cache, dead_share: float) -> tuple[bytes, dict[str, bytes]]:
    """Put live and dead contents into one pack; return the live tree and what it holds."""
    files = {f"{n:03}": hashlib.shake_128(b"%d" % n).digest(500) for n in range(100)}
    put_tree(cache, files)
    live = dict(list(files.items())[int(100 * dead_share) :])
    return put_tree(cache, live), live


def test_a_pack_of_which_much_is_dead_is_written_anew(cache: Cache) -> None:
    root, live = _mixed(cache, 0.5)

    sweep(cache, rule_for(cache, [root]))

    assert contents(cache, root) == live
    assert [pack.table.count for pack in cache.packs(structure=False)] == [50]


def test_a_pack_of_which_little_is_dead_is_left_alone(cache: Cache) -> None:
    root, live = _mixed(cache, 0.1)
    before = [pack.path for pack in cache.packs(structure=False)]

    sweep(cache, rule_for(cache, [root]))

    assert [pack.path for pack in cache.packs(structure=False)] == before
    assert contents(cache, root) == live


def test_a_final_sweep_writes_it_anew_all_the_same(cache: Cache) -> None:
    root, _ = _mixed(cache, 0.1)

    sweep(cache, rule_for(cache, [root], is_final=True))

    rows = [row.name for pack in cache.packs(structure=False) for row in pack.table.rows()]
    assert len(set(rows)) == 90


def test_a_damaged_pack_is_named_and_stays(cache: Cache, tmp_path: Path) -> None:
    files = {f"{n:03}": hashlib.shake_128(b"%d" % n).digest(500) for n in range(100)}
    put_tree(cache, files)
    live = put_tree(cache, dict(list(files.items())[50:]), leaf_size=10)
    largest = max((tmp_path / "cache/packs").glob("d-*"), key=lambda path: path.stat().st_size)
    for pack in (tmp_path / "cache/packs").glob("d-*"):
        if pack != largest:
            pack.unlink()
    rows = {row.name: row for row in cache.packs(structure=False)[0].table.rows()}
    cache.close()
    data = bytearray(largest.read_bytes())
    data[rows[blob_name(oid_of(files["099"]))].offset] ^= 1
    largest.chmod(0o600)
    largest.write_bytes(data)

    swept = sweep(cache, rule_for(cache, [live]))

    assert [failure.code for failure in swept.failed] == ["corrupt-object"]
    assert largest.exists()


def test_a_blob_that_a_work_tree_links_to_stays(cache: Cache) -> None:
    put_tree(cache, DEAD)
    rule = replace(rule_for(cache, [], is_final=True), linked=frozenset([oid_of(DEAD["huge"])]))

    sweep(cache, rule)

    assert [oid for oid, _ in loose_blobs(cache)] == [oid_of(DEAD["huge"])]


def test_files_that_are_none_of_ours_stay(cache: Cache, tmp_path: Path) -> None:
    put_tree(cache, DEAD)
    strange = tmp_path / "cache/objects/blake3/ab/README"
    strange.parent.mkdir(parents=True, exist_ok=True)
    strange.write_text("mine")

    sweep(cache, rule_for(cache, [], is_final=True))

    assert strange.read_text() == "mine"


# -- needed again


def test_what_is_needed_again_is_found_in_the_trash(cache: Cache) -> None:
    dead = put_tree(cache, DEAD)
    sweep(cache, rule_for(cache, []))
    trash = Trash(cache, Later())

    trash.restore(trash.structure_with(mark(cache, [dead]).lost))
    trash.restore(trash.needed(mark(cache, [dead]).names))

    assert contents(cache, dead) == DEAD


# -- killed, and out of power


def _prepared(folder: Path) -> tuple[SimulatedDisk, Cache, bytes, dict[str, bytes]]:
    folder.mkdir()
    disk = SimulatedDisk(folder.parent / "limbo")
    cache = Cache(str(folder / "cache"), disk)
    root, live = _mixed(cache, 0.5)
    put_tree(cache, DEAD)
    return disk, cache, root, live


@pytest.mark.parametrize("is_final", [False, True])
def test_killed_at_any_step_what_is_needed_is_there_and_the_next_run_finishes(
    tmp_path: Path, *, is_final: bool
) -> None:
    disk, cache, root, live = _prepared(tmp_path / "counted")
    start = len(disk.power.steps)
    sweep(cache, rule_for(cache, [root], is_final=is_final))
    end, packs = len(disk.power.steps), len(cache.packs(structure=False))
    cache.close()
    disk.settle()

    assert end - start > 5
    for number in range(start, end):
        folder = tmp_path / f"killed-{number}"
        disk, cache, root, live = _prepared(folder)
        disk.power.fault = Fault("crash", number)
        with pytest.raises(Crash):
            sweep(cache, rule_for(cache, [root], is_final=is_final))
        cache.close()
        disk.recover(0, is_power_lost=False)

        after = Cache(str(folder / "cache"), Disk())
        assert contents(after, root) == live
        sweep(after, rule_for(after, [root], is_final=is_final))
        assert contents(after, root) == live
        assert len(after.packs(structure=False)) == packs
        assert list(loose_blobs(after)) == []
        after.close()
        shutil.rmtree(folder)


def test_after_a_power_loss_what_is_needed_is_there(tmp_path: Path) -> None:
    disk, cache, root, live = _prepared(tmp_path / "counted")
    start = len(disk.power.steps)
    sweep(cache, rule_for(cache, [root], is_final=True))
    end = len(disk.power.steps)
    cache.close()
    disk.settle()

    for number in range(start, end + 1):
        folder = tmp_path / f"lost-{number}"
        disk, cache, root, live = _prepared(folder)
        disk.power.fault = Fault("crash", number)
        try:
            sweep(cache, rule_for(cache, [root], is_final=True))
        except Crash:
            pass
        cache.close()
        disk.recover(number, is_power_lost=True)
        after = Cache(str(folder / "cache"), Disk())
        assert contents(after, root) == live
        after.close()


# -- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Write until nothing more fits."""
    fd = os.open(folder / "filler", os.O_CREAT | os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="No space"):
            while True:
                os.write(fd, bytes(4096))
    finally:
        os.close(fd)


def test_a_final_sweep_works_on_a_full_disk(small_disk: Path) -> None:
    cache = Cache(str(small_disk / "cache"), Disk())
    root, live = _mixed(cache, 0.5)
    put_tree(cache, {"huge": os.urandom(1_000_000)})
    fill(small_disk)

    swept = sweep(cache, rule_for(cache, [root], is_final=True))

    assert swept.warnings == []
    assert contents(cache, root) == live
    assert list(loose_blobs(cache)) == []
    cache.close()


def test_without_any_room_packs_stay_as_they_are_and_that_is_told(small_disk: Path) -> None:
    cache = Cache(str(small_disk / "cache"), Disk())
    root, live = _mixed(cache, 0.5)
    fill(small_disk)

    swept = sweep(cache, rule_for(cache, [root], is_final=True))

    assert [warning.code for warning in swept.warnings] == ["no-room"] * len(swept.warnings) != []
    assert contents(cache, root) == live
    cache.close()
