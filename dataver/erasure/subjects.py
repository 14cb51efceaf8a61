"""Whose data is it: which entries of one version of a tree belong to some subjects, by the rules.

Decides only; what has to be read comes through functions that the caller passes.  What cannot be
read is told, never taken for somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from dataver.erasure.rows.jsonlines import parsed, texts_at
from dataver.erasure.rows.kinds import kind_of
from dataver.erasure.rows.rewriting import columns_of
from dataver.errors import UnreadableTableError
from dataver.model.subjects import (
    PATH,
    STEM,
    PathRule,
    RowsRule,
    Rules,
    SidecarRule,
    TableRule,
    Template,
    matches,
)
from dataver.model.tree import EMPTY_FOLDER, SYMLINK, Entry

Read = Callable[[Entry], bytes | None]
"""Gives an entry's content; None where it cannot be had."""
ReadTracked = Callable[[bytes], bytes | None]
"""Gives the content of a file that is tracked on its own, by its path, in the same version."""


class RowWork(NamedTuple):
    """A table out of which the subjects' rows have to go."""

    path: bytes
    """In the tree."""
    key: str


class Unexamined(NamedTuple):
    """What could not be decided."""

    path: bytes
    """In the tree, or of the tracked mapping table."""
    why: str


@dataclass(frozen=True, slots=True)
class Belongings:
    """What of one version of a tree belongs to the subjects."""

    entries: tuple[Entry, ...]
    """Whole files and empty folders of theirs, in path order."""
    rows: tuple[RowWork, ...]
    """Tables that may hold rows of theirs, files in `entries` not among them; in path order."""
    unexamined: tuple[Unexamined, ...]


def belongings(
    rules: Rules,
    target: bytes,
    subjects: Collection[str],
    entries: Iterable[Entry],
    read: Read,
    *,
    is_single: bool = False,
    tracked: ReadTracked = lambda path: None,
) -> Belongings:
    """Return what of *entries*, one version of the tree of *target*, belongs to *subjects*.

    Ids are matched exactly.  A mapping table is asked in this version: it lies in the tree itself, or
    is a file that is *tracked* on its own.  Its rows, and sidecars, are the subjects' data too.

    Raises: MissingTablesError where a Parquet table is to be read without pyarrow.
    """
    scope = rules.within(target, is_single=is_single)
    search = _Search(frozenset(subjects), {entry.path: entry for entry in entries}, read, tracked)
    for rule in scope.rules:
        match rule:
            case PathRule():
                search.by_path(rule, scope.seen)
            case TableRule():
                search.by_table(rule, target)
            case SidecarRule():
                search.by_sidecar(rule)
            case RowsRule():
                for path in search.files():
                    if matches(rule.rows, scope.seen(path)):
                        search.rows.add(RowWork(path, rule.key))
    for rule in rules.all:
        if scope.is_table and isinstance(rule, TableRule) and rule.table == target:
            search.rows.update(RowWork(path, rule.subject_column) for path in search.files())
    return search.result()


class _Search:
    """What was found so far."""

    def __init__(
        self, subjects: frozenset[str], entries: dict[bytes, Entry], read: Read, tracked: ReadTracked
    ) -> None:
        self._subjects, self._entries = subjects, entries
        self._read, self._tracked = read, tracked
        self._theirs: set[bytes] = set()
        self.rows: set[RowWork] = set()
        self._unexamined: set[Unexamined] = set()

    def files(self) -> list[bytes]:
        return [path for path, entry in self._entries.items() if entry.kind not in (EMPTY_FOLDER, SYMLINK)]

    def result(self) -> Belongings:
        return Belongings(
            tuple(self._entries[path] for path in sorted(self._theirs)),
            tuple(sorted(work for work in self.rows if work.path not in self._theirs)),
            tuple(sorted(self._unexamined)),
        )

    def by_path(self, rule: PathRule, seen: Callable[[bytes], bytes]) -> None:
        template = Template(rule.path)
        wanted = frozenset(subject.encode("utf-8", "surrogateescape") for subject in self._subjects)
        self._theirs.update(p for p in self._entries if template.subject_of(seen(p), wanted) is not None)

    def by_table(self, rule: TableRule, target: bytes) -> None:
        entry = self._entries.get(rule.table)
        if entry is not None:
            self.rows.add(RowWork(entry.path, rule.subject_column))
        data = self._read(entry) if entry is not None else self._tracked(rule.table)
        if data is None:
            self._unexamined.add(Unexamined(rule.table, "the mapping table cannot be read in this version"))
            return
        kind = kind_of(rule.table, data[:64])
        try:
            if kind is None:
                raise UnreadableTableError("neither CSV nor Parquet")
            for file, person in columns_of(data, kind, (rule.path_column, rule.subject_column)):
                if person in self._subjects:
                    self._take(file.encode("utf-8", "surrogateescape"), target)
        except UnreadableTableError as error:
            self._unexamined.add(Unexamined(rule.table, error.message))

    def _take(self, named: bytes, target: bytes) -> None:
        """Take what a table names by its path in the target or from the top: a file, or all of a folder."""
        named = named.removeprefix(b"./").rstrip(b"/")
        for path in (named, named.removeprefix(target + b"/")):
            if path in self._entries:
                self._theirs.add(path)
                return
            below = [p for p in self._entries if p.startswith(path + b"/")]
            if below:
                self._theirs.update(below)
                return

    def by_sidecar(self, rule: SidecarRule) -> None:
        files = self.files()
        beside = {path: _sidecar(rule.sidecar, path) for path in files}
        sidecars = set(beside.values()).intersection(files)
        for path in files:
            sidecar = beside[path]
            if sidecar in sidecars and sidecar != path:
                if self._is_theirs(self._entries[sidecar], rule.field):
                    self._theirs.update((path, sidecar))
            elif path not in sidecars:
                self._unexamined.add(Unexamined(path, "no sidecar beside it"))

    def _is_theirs(self, sidecar: Entry, field: str) -> bool:
        data = self._read(sidecar)
        if data is None:
            self._unexamined.add(Unexamined(sidecar.path, "the sidecar cannot be read in this version"))
            return False
        try:
            return not self._subjects.isdisjoint(texts_at(parsed(data, "the sidecar"), field))
        except UnreadableTableError as error:
            self._unexamined.add(Unexamined(sidecar.path, error.why))
            return False


def _sidecar(template: bytes, path: bytes) -> bytes:
    folder, slash, name = path.rpartition(b"/")
    stem = folder + slash + (name.rpartition(b".")[0] or name)
    return template.replace(PATH, path).replace(STEM, stem)
