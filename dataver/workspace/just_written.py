"""What is known of a target's files right after a checkout wrote some of them."""

from __future__ import annotations

from collections.abc import Iterable

from dataver.index.columns import UNLISTED, Folder
from dataver.workspace.ignore import FILE_NAME
from dataver.workspace.snapshot import Snapshot


class JustWritten:
    """What is known of the files right after a checkout: those that it wrote, and those seen before.

    Stands in for an index while the folders are listed once more, so that a row is believed only
    where the file still has the stat that it was written with.
    """

    stamp = root_id = b""

    def __init__(self, placed: dict[bytes, list[Folder]], before: Snapshot | None) -> None:
        """Take *placed* over: rows are given out once, since a million of them weigh much."""
        self._placed = placed
        self._before = before.folders if before is not None else {}
        self.certain = frozenset(
            path
            for path, parts in placed.items()
            if len(parts) == 1 and parts[0].own != UNLISTED and not _has_rules(parts[0])
        )

    @property
    def folders(self) -> Iterable[bytes]:
        return ()

    def get(self, path: bytes) -> Folder | None:
        """Return the rows known of a folder; a name that stands twice counts as it was written."""
        if path in self.certain:
            return self._placed.pop(path)[0]
        parts = self._placed.pop(path, [])
        before = self._before.get(path)
        parts = [p for p in ([before] if before is not None else []) + parts if p.count]
        if not parts:
            return None
        return Folder(
            UNLISTED,
            b"\0".join(p.joined for p in parts),
            b"".join(p.stats for p in parts),
            b"".join(p.oids for p in parts),
        )


def _has_rules(folder: Folder) -> bool:
    return folder.joined.startswith(FILE_NAME) or b"\0" + FILE_NAME in folder.joined
