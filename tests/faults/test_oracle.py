"""The oracle of the sweeps sees what it is there to see: each kind of harm is told from a sound disk."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.project import Project
from tests.faults import oracle
from tests.faults.oracle import Broken


def _look(project: Project) -> None:
    """Look at all that there is: the cache, the pointers and the remote."""
    objects = oracle.read_cache(project.cache)
    for root in oracle.pointers_below(project.root).values():
        objects.restore(root)
    oracle.read_remote(project.store)


def _packs(folder: Path, letter: str = "") -> list[Path]:
    return sorted(p for p in folder.rglob(f"{letter}*") if p.is_file() and p.parent.name != "objects")


def _cut_short(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def _reversed(entry: Path) -> None:
    """Let the entry name other packs and segments: every id in it backwards."""
    entry.chmod(0o644)
    entry.write_bytes(re.sub(rb"[0-9a-f]{64}", lambda found: found[0][::-1], entry.read_bytes()))


def _rename(folder: Path, old: str, new: str) -> None:
    (folder / old).rename(folder / new)


HARMS: dict[str, Callable[[Project], None]] = {
    "a truncated pack": lambda p: _cut_short(_packs(p.cache / "packs", "d-")[0]),
    "a pack that is gone": lambda p: _packs(p.cache / "packs", "d-")[0].unlink(),
    "structure that is gone": lambda p: _packs(p.cache / "packs", "s-")[0].unlink(),
    "a changed payload": lambda p: _flip(_packs(p.cache / "packs", "d-")[0]),
    "a changed loose blob": lambda p: _flip(p.loose("data/big.bin")),
    "a loose blob that is gone": lambda p: p.loose("data/big.bin").unlink(),
    "a torn pointer": lambda p: _cut_short(p.root / "data.dv"),
    "a remote pack that is gone": lambda p: _packs(p.store / "packs")[0].unlink(),
    "a truncated remote pack": lambda p: _cut_short(_packs(p.store / "packs")[0]),
    "a segment that is gone": lambda p: _packs(p.store / "segments")[0].unlink(),
    "a changed segment": lambda p: _flip(_packs(p.store / "segments")[0]),
    "a changed journal entry": lambda p: _reversed(p.store / "journal/0000000000000001"),
    "a gap in the journal": lambda p: _rename(p.store / "journal", "0000000000000001", "0000000000000002"),
}


def test_the_oracle_finds_nothing_wrong_with_a_sound_disk(published: Project) -> None:
    _look(published)

    restored = oracle.read_remote(published.store)
    root = oracle.pointers_below(published.root)["data.dv"]
    assert {path: content for path, (_, content) in restored.objects.restore(root).items()} == {
        str(path.relative_to(published.root / "data")): path.read_bytes()
        for path in (published.root / "data").rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("harm", HARMS)
def test_the_oracle_sees(published: Project, harm: str) -> None:
    HARMS[harm](published)

    with pytest.raises((Broken, ValueError)):
        _look(published)
