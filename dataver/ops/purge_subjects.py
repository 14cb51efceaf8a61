"""Whose data it is: what the rules of `.dataver/subjects.toml` lead to, in each version of each dataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from dataver.erasure.subjects import belongings
from dataver.errors import DataverError, UsageError
from dataver.formats.subjects import FILE
from dataver.model.names import Oid, blob_name
from dataver.model.subjects import PathRule, Rules, TableRule, Template
from dataver.model.tree import SINGLE_FILE_PATH, Entry
from dataver.ops.exchange import ends_of
from dataver.ops.purge_versions import Dataset, Reader, Versions
from dataver.progress import SILENT
from dataver.repo import Repo
from dataver.store.remote import Remote
from dataver.transfer.receive import receive
from dataver.transfer.verify import UNREADABLE
from dataver.transfer.wanted import Version
from dataver.workspace.leafkeys import load_rules
from dataver.workspace.sparse import Sparse, exactly


@dataclass(slots=True)
class Theirs:
    """What belongs to some subjects."""

    pairs: set[tuple[bytes, Oid | None]] = field(default_factory=set)
    """(path from the top, content) of whole files and empty folders."""
    tables: dict[tuple[bytes, Oid], str] = field(default_factory=dict)
    """(path from the top, content) of tables that may hold rows of theirs -> the key column."""
    unexamined: list[tuple[bytes, str]] = field(default_factory=list)


class Contents:
    """Contents of old versions, fetched into the cache where it lacks them."""

    def __init__(self, repo: Repo, remotes: Sequence[Remote]) -> None:
        self._repo, self._remotes = repo, remotes

    def bring(self, dataset: Dataset, entry: Entry) -> bool:
        """Make sure that the cache has the content of *entry*; tell whether it has."""
        assert entry.oid is not None
        name = blob_name(entry.oid)
        for remote in self._remotes:
            if self._repo.cache.has(name):
                break
            scope = Sparse((exactly(entry.path),))
            version = Version(dataset.root_id, dataset.target, dataset.is_folder, scope=scope)
            receive(ends_of(self._repo, remote, None), [version], dry_run=False, progress=SILENT)
            self._repo.cache.refresh()
        return self._repo.cache.has(name)

    def reader(self, dataset: Dataset) -> Callable[[Entry], bytes | None]:
        """Return what gives the bytes of entries of one version; None for one that cannot be had."""

        def read(entry: Entry) -> bytes | None:
            try:
                if entry.oid is None or not self.bring(dataset, entry):
                    return None
                return bytes(self._repo.cache.read(blob_name(entry.oid)))
            except UNREADABLE:
                return None

        return read


def path_matcher(rules: Rules, subjects: Collection[str]) -> Callable[[Dataset, bytes], bool]:
    """Return what tells by its path alone whether an entry belongs to one of *subjects*."""
    wanted = frozenset(os.fsencode(subject) for subject in subjects)
    known: dict[tuple[bytes, bool], list[Template]] = {}

    def is_theirs(dataset: Dataset, path: bytes) -> bool:
        scope = rules.within(dataset.target, is_single=not dataset.is_folder)
        key = dataset.target, dataset.is_folder
        if key not in known:
            known[key] = [Template(rule.path) for rule in scope.rules if isinstance(rule, PathRule)]
        seen = scope.seen(path)
        return any(template.subject_of(seen, wanted) is not None for template in known[key])

    return is_theirs


def find_theirs(
    repo: Repo, remotes: Sequence[Remote], versions: Versions, reader: Reader, subjects: Collection[str]
) -> tuple[Theirs, Callable[[Dataset, bytes], bool]]:
    """Return what belongs to *subjects*: what tables and sidecars say of each version, and what paths say.

    Raises: UsageError where there are no rules; ConfigError for malformed ones.
    """
    rules = load_rules(os.fsencode(repo.top))
    if not rules:
        raise UsageError(f"no rule says whose data is whose: write {FILE}", hint="dataver purge plan --help")
    others = Rules(tuple(rule for rule in rules.all if not isinstance(rule, PathRule)))
    search = _Search(others, versions, reader, Contents(repo, remotes), frozenset(subjects))
    for dataset in versions.datasets:
        if others.within(dataset.target, is_single=not dataset.is_folder):
            search.look_into(dataset)
    return search.found, path_matcher(rules, subjects)


@dataclass(slots=True)
class _Search:
    """One walk over the versions for whose rules contents have to be read."""

    rules: Rules
    versions: Versions
    reader: Reader
    contents: Contents
    subjects: frozenset[str]
    found: Theirs = field(default_factory=Theirs)

    def look_into(self, dataset: Dataset) -> None:
        """Find what belongs to the subjects in one version."""
        root = self.reader.root(dataset.root_id)
        if isinstance(root, DataverError):
            return  # it is among the versions that could not be opened
        entries = [
            entry
            for _, leaf in self.reader.leaves(root.leaves)
            if not isinstance(leaf, DataverError)
            for entry in leaf.view
        ]
        by_path = {entry.path: entry for entry in entries}
        for tracked in self._tracked(dataset):
            theirs = belongings(
                self.rules,
                dataset.target,
                self.subjects,
                entries,
                self.contents.reader(dataset),
                is_single=not dataset.is_folder,
                tracked=tracked,
            )
            self.found.pairs.update((dataset.shown(entry.path), entry.oid) for entry in theirs.entries)
            for work in theirs.rows:
                oid = by_path[work.path].oid
                if oid is not None:
                    self.found.tables[dataset.shown(work.path), oid] = work.key
            for path, why in theirs.unexamined:
                known = (dataset.shown(path) if path in by_path else path, why)
                self.found.unexamined += [known] if known not in self.found.unexamined else []

    def _tracked(self, dataset: Dataset) -> Iterator[Callable[[bytes], bytes | None]]:
        """Yield what gives mapping tables that are tracked on their own: once for each of their versions.

        Which version of a table goes with which of the data nobody wrote down, so every one counts.
        """
        tables = {rule.table for rule in self.rules.all if isinstance(rule, TableRule)}
        alone = [one for one in self.versions.datasets if one.target in tables and not one.is_folder]
        if not alone or dataset.target in tables:
            yield lambda path: None
        for one in alone if dataset.target not in tables else ():
            yield _only(one.target, _single(one, self.reader, self.contents))


def _only(target: bytes, data: bytes | None) -> Callable[[bytes], bytes | None]:
    return lambda path: data if path == target else None


def _single(dataset: Dataset, reader: Reader, contents: Contents) -> bytes | None:
    root = reader.root(dataset.root_id)
    if isinstance(root, DataverError):
        return None
    for _, leaf in reader.leaves(root.leaves):
        for entry in () if isinstance(leaf, DataverError) else leaf.view:
            if entry.path == SINGLE_FILE_PATH:
                return contents.reader(dataset)(entry)
    return None
