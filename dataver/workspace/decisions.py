"""What was decided so far about a pointer in conflict, durable until the last path of it is decided.

Owns the folder `decisions/` of the work tree's Git folder, one small text file per target.  A file
counts for the very conflict that it was made for: another merge finds nothing decided.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from dataver.disk.atomic import make_folders, replace
from dataver.disk.disk import Disk
from dataver.errors import local_error
from dataver.model.settle import SIDES
from dataver.workspace.record import record_name

_HEADER = b"dataver decisions 1"
_MAX_SIZE = 64 * 1024 * 1024


class Decisions:
    """The decisions of one work tree: conflict path inside the target -> `ours`, `theirs` or `union`."""

    def __init__(self, folder: str, disk: Disk) -> None:
        self._folder, self._disk = folder, disk

    def load(self, target: bytes, stages: tuple[str, str, str]) -> dict[bytes, str]:
        """Return what was decided of the conflict between *stages*, Git's ids of the three pointers."""
        path = self._path(target)
        try:
            with open(path, "rb") as file:
                lines = file.read(_MAX_SIZE).split(b"\n")
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise local_error(error, path) from error
        if lines[:2] != [_HEADER, _stage_line(stages)] or lines[-2:] != [b"end", b""]:
            return {}
        try:
            rows = (line.decode("ascii").split(" ") for line in lines[2:-2])
            return {bytes.fromhex(name): side for side, name in rows if side in SIDES}
        except ValueError:
            return {}

    def save(self, target: bytes, stages: tuple[str, str, str], decided: Mapping[bytes, str]) -> None:
        """Remember, durably, what was decided."""
        lines = [_HEADER, _stage_line(stages)]
        lines += [f"{side} {path.hex()}".encode() for path, side in sorted(decided.items())]
        if not os.path.isdir(self._folder):
            make_folders(self._disk, self._folder)
        replace(self._disk, self._path(target), b"\n".join([*lines, b"end", b""]))

    def drop(self, target: bytes) -> None:
        """Forget what was decided of *target*."""
        path = self._path(target)
        try:
            self._disk.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise local_error(error, path, "delete") from error

    def _path(self, target: bytes) -> str:
        return f"{self._folder}/{record_name(target)}"


def _stage_line(stages: tuple[str, str, str]) -> bytes:
    return " ".join(["stages", *(blob or "-" for blob in stages)]).encode()
