"""Files here that an erasure means and cannot take, since no version that was ever added has them.

Nobody has another copy of a file that was changed and not added: it stays where it is, and the plan tells
of it.  The same goes for what lies where a dataset was tracked that `untrack` gave back to its user.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Set

from dataver.erasure.deny import EMPTY_OIDS
from dataver.errors import DataverError
from dataver.model.names import Oid
from dataver.model.tree import FILE, Entry
from dataver.ops.purge_choosing import Chosen, Wanted
from dataver.ops.purge_versions import Dataset, Reader, Versions
from dataver.ops.work_trees import work_trees
from dataver.repo import Repo
from dataver.workspace.pointers import list_targets
from dataver.workspace.snapshot import oid_of_cell
from dataver.workspace.workspace import Workspace

_CHANGED = "changed here and never added: add it and plan again, or delete it"
_UNTRACKED = "no longer tracked, and still here: after the run, dataver purge scan --delete"


def find_unadded(
    repo: Repo, versions: Versions, reader: Reader, wanted: Wanted, chosen: Chosen
) -> Iterator[tuple[bytes, str]]:
    """Yield paths of files in any work tree that are meant and will stay, each with why.

    Those of other work trees than this one are absolute.  Reads files that are selected and that the index
    does not know.
    """
    meant = _Meant(wanted, chosen, _contents_of_tables(versions, reader, wanted))
    once = sorted({versions.datasets[number].target for number in chosen.datasets})
    for workspace, git, _ in work_trees(repo):
        above = b"" if workspace is repo.workspace else workspace.top + b"/"
        tracked = {target.path for target in list_targets(git)}
        for target in sorted(tracked):
            try:
                for shown in meant.unadded(workspace, target):
                    yield above + shown, _CHANGED
            except DataverError as error:
                yield above + target, error.message
        for target in once:
            # What another branch tracks has a record, by which it is cleaned.
            if target not in tracked and workspace.records.load(target) is None:
                if os.path.lexists(workspace.absolute(target)):
                    yield above + target, _UNTRACKED


class _Meant:
    """Which files are meant, and which contents some version has."""

    def __init__(self, wanted: Wanted, chosen: Chosen, tables: Set[Oid]) -> None:
        self._wanted = wanted
        self._added = EMPTY_OIDS | chosen.sizes.keys() | tables
        self._codes = sorted({oid[0] for oid in self._added})

    def unadded(self, workspace: Workspace, target: bytes) -> Iterator[bytes]:
        """Yield the files of a target that are meant and in no version.  Raises: local errors."""
        snapshot = workspace.look(target).snapshot
        if snapshot is None:
            return
        dataset = Dataset(target, b"", not snapshot.is_single)
        for path, folder, row in snapshot.ordered():
            oid = oid_of_cell(folder.oid(row)) if row >= 0 else None
            shown = dataset.shown(path)
            if row < 0 or oid in self._added:
                continue
            if self._wanted.is_table(shown) or self._wanted.takes(dataset, Entry(path, FILE, oid, 0)):
                found = (workspace.rehash(target, path, c, is_single=snapshot.is_single) for c in self._codes)
                if self._added.isdisjoint(found):
                    yield shown


def _contents_of_tables(versions: Versions, reader: Reader, wanted: Wanted) -> set[Oid]:
    """Return the contents that tables had in any version, those too from which no row goes."""
    if not wanted.tables:
        return set()
    found = {oid for oid, _ in wanted.tables.values()}
    for ref, leaf in reader.leaves(versions.leaves):
        datasets = [versions.datasets[number] for number in versions.leaves[ref]]
        for entry in () if isinstance(leaf, DataverError) else leaf.view:
            if entry.oid is not None and any(wanted.is_table(one.shown(entry.path)) for one in datasets):
                found.add(entry.oid)
    return found
