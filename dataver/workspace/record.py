"""What this work tree was last brought to, durable: without it, absent could pass for deleted.

Owns the folder `record/` of the work tree's Git folder, one small text file per target.  When a
record is lost, everything of the target that is not on disk counts as absent, never as deleted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from dataver.disk.atomic import make_folders, replace
from dataver.disk.disk import Disk
from dataver.errors import local_error
from dataver.hashing import blake3_of

_HEADER = b"dataver record 1"


@dataclass(frozen=True, slots=True)
class Record:
    """One target's state; bytes are paths and patterns inside the target."""

    root_id: bytes
    """The tree that the workspace was last brought to; empty where it never was."""
    patterns: tuple[bytes, ...] = ()
    """The sparse set; empty for everything."""
    missing: frozenset[bytes] = frozenset()
    """Paths of the sparse set that did not arrive."""
    beside: bytes = b""
    """The pointer's tree at the time when another version was checked out by name; empty otherwise."""


def record_name(target: bytes) -> str:
    """Return the file name under which local state of *target* is kept."""
    return blake3_of(target)[:16].hex()


class Records:
    """The records of one work tree."""

    def __init__(self, folder: str, disk: Disk) -> None:
        self._folder, self._disk = folder, disk

    def load(self, target: bytes) -> Record | None:
        """Return the record of *target*; None where there is none, or it is damaged."""
        path = f"{self._folder}/{record_name(target)}"
        try:
            with open(path, "rb") as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise local_error(error, path) from error
        try:
            return _parse(lines, target)
        except ValueError:
            return None

    def save(self, target: bytes, record: Record) -> None:
        """Replace the record of *target*, durably."""
        lines = [_HEADER, b"target " + _hex(target), b"root " + _hex(record.root_id)]
        lines += [b"beside " + _hex(record.beside)] if record.beside else []
        lines += [b"pattern " + _hex(p) for p in sorted(record.patterns)]
        lines += [b"missing " + _hex(p) for p in sorted(record.missing)]
        if not os.path.isdir(self._folder):
            make_folders(self._disk, self._folder)
        replace(self._disk, f"{self._folder}/{record_name(target)}", b"\n".join([*lines, b"end", b""]))

    def drop(self, target: bytes) -> None:
        try:
            self._disk.unlink(f"{self._folder}/{record_name(target)}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise local_error(error, self._folder, "write") from error

    def targets(self) -> Iterable[bytes]:
        """Yield every target that has a record."""
        try:
            names = sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return
        for name in names:
            try:
                with open(f"{self._folder}/{name}", "rb") as file:
                    lines = file.read(16384).split(b"\n")
                if lines[0] == _HEADER and lines[1].startswith(b"target "):
                    yield bytes.fromhex(lines[1][7:].decode())
            except (OSError, ValueError, IndexError):
                continue


def _hex(data: bytes) -> bytes:
    return data.hex().encode()


def _parse(lines: list[bytes], target: bytes) -> Record:
    if lines[0] != _HEADER or lines[-2:] != [b"end", b""]:
        raise ValueError("no record")
    keys = (b"target", b"root", b"beside", b"pattern", b"missing")
    found: dict[bytes, list[bytes]] = {key: [] for key in keys}
    for line in lines[1:-2]:
        key, _, value = line.partition(b" ")
        found[key].append(bytes.fromhex(value.decode("ascii"))) if key in found else None
    if found[b"target"] != [target] or len(found[b"root"]) != 1 or len(found[b"root"][0]) not in (0, 32):
        raise ValueError("record of another target")
    beside = found[b"beside"][0] if found[b"beside"] else b""
    return Record(found[b"root"][0], tuple(found[b"pattern"]), frozenset(found[b"missing"]), beside)
