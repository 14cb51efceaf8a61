"""Tables without some subjects' rows: each content rewritten once, into the cache, and what takes its place.

The old content is denied, and every leaf that names it gets a substitute: an entry at the same path that
names the new content, covered by the signed record.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from dataver.disk.digest import digest_file
from dataver.erasure.rows.kinds import HEAD_SIZE, TableKind, kind_of
from dataver.erasure.rows.rewriting import rewrite
from dataver.errors import DataverError, UnreadableTableError, local_error
from dataver.formats.tree import SALT_SIZE, Leaf, Substitute, substitute_commitment
from dataver.model.names import Oid, blob_name, oid_of_digest
from dataver.model.tree import Entry
from dataver.ops.purge_subjects import Contents
from dataver.ops.purge_versions import Dataset, Reader, Versions
from dataver.repo import Repo

Key = tuple[bytes, Oid]
"""(path from the top, content) of a table."""


@dataclass(slots=True)
class Rewrites:
    """What became of tables."""

    new: dict[Key, tuple[Oid, int]] = field(default_factory=dict)
    """Tables that lose rows -> their new content and its size."""
    rows: int = 0
    unexamined: list[tuple[bytes, str]] = field(default_factory=list)


class Rewriter:
    """Rewrites tables of old versions into the cache."""

    def __init__(self, repo: Repo, contents: Contents, values: Collection[str]) -> None:
        self._repo, self._contents, self._values = repo, contents, frozenset(values)
        self._done: dict[tuple[Oid, str, bytes], tuple[Oid, int] | None] = {}
        self.found = Rewrites()

    def take(self, dataset: Dataset, entry: Entry, key: str) -> None:
        """Rewrite the content of *entry*; one that holds nothing of the subjects stays as it is."""
        assert entry.oid is not None
        shown = dataset.shown(entry.path)
        memo = entry.oid, key, os.path.splitext(shown)[1]
        try:
            if memo not in self._done:
                self._done[memo] = self._rewritten(dataset, entry, key, shown)
            done = self._done[memo]
        except DataverError as error:
            if error.exit_status not in (2, 3, 6):
                raise
            self._done[memo] = None
            self.found.unexamined.append((shown, error.message))
            return
        if done is not None:
            self.found.new[shown, entry.oid] = done

    def _rewritten(self, dataset: Dataset, entry: Entry, key: str, shown: bytes) -> tuple[Oid, int] | None:
        """Return the new content and its size; None where nothing had to go."""
        assert entry.oid is not None
        if not self._contents.bring(dataset, entry):
            raise UnreadableTableError("its content is nowhere to be had")
        source, is_ours = self._file_of(entry.oid)
        target = self._repo.cache.temp_path()
        try:
            kind = _kind(source, shown)
            os.close(self._repo.disk.create(target, 0o644))
            done = rewrite(source, target, kind, key, self._values)
            if not done.held_values:
                return None
            self.found.rows += done.rows_removed
            self.found.unexamined += [
                (shown, f"column {column} of other rows holds one of the ids") for column in done.residue
            ]
            return self._published(target, entry.oid[0])
        finally:
            for path in (target, *((source,) if is_ours else ())):
                with contextlib.suppress(FileNotFoundError):
                    self._repo.disk.unlink(path)

    def _file_of(self, oid: Oid) -> tuple[str, bool]:
        """Return a file with the content *oid*, and whether it was made for this."""
        cache = self._repo.cache
        data = cache.read(blob_name(oid))  # verified on its way
        if cache.loose.has(oid):
            return cache.loose.path(oid), False
        path = cache.temp_path()
        fd = self._repo.disk.create(path, 0o644)
        try:
            self._repo.disk.write(fd, data)
        finally:
            os.close(fd)
        return path, True

    def _published(self, path: str, algorithm: int) -> tuple[Oid, int]:
        """Make the finished file part of the cache; return its id and size."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                size = os.fstat(fd).st_size
                oid = oid_of_digest(algorithm, digest_file(fd, algorithm, size))
                self._repo.disk.chmod(fd, 0o444)
            finally:
                os.close(fd)
        except OSError as error:
            raise local_error(error, path) from error
        if not self._repo.cache.has(blob_name(oid)):
            self._repo.cache.publish([], [(path, oid)])
        return oid, size


def _kind(path: str, shown: bytes) -> TableKind:
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_SIZE)
    except OSError as error:
        raise local_error(error, path) from error
    kind = kind_of(shown, head)
    if kind is None:
        raise UnreadableTableError("no table of a kind that is known")
    return kind


def rewrite_tables(
    rewriter: Rewriter, versions: Versions, reader: Reader, key_of: Callable[[bytes, Oid], str]
) -> Rewrites:
    """Rewrite the tables of all versions; *key_of* gives the key column of one, empty for what is none."""
    for ref, leaf in reader.leaves(versions.leaves):
        if isinstance(leaf, DataverError):
            continue
        datasets = {(d.target, d.is_folder): d for d in (versions.datasets[n] for n in versions.leaves[ref])}
        for entry in leaf.view:
            for dataset in datasets.values():
                key = key_of(dataset.shown(entry.path), entry.oid) if entry.oid is not None else ""
                if key:
                    rewriter.take(dataset, entry, key)
    return rewriter.found


def substituted(leaf: Leaf, replaced: Mapping[bytes, tuple[Oid, int]]) -> Iterator[tuple[bytes, Substitute]]:
    """Yield (commitment, what takes its place) for the entries of *leaf* in *replaced*, by commitment.

    What replaced an entry before is replaced in its turn: the record is then about that one.
    """
    standing = {substitute.commitment: substitute for substitute in leaf.substitutes}
    originals = dict(zip(leaf.commitments, leaf.entries, strict=True))
    for commitment, (oid, size) in replaced.items():
        before = standing.get(commitment)
        entry = before.entry if before is not None else originals[commitment]
        new = Substitute(commitment, os.urandom(SALT_SIZE), entry._replace(oid=oid, size=size))
        yield (substitute_commitment(before) if before is not None else commitment), new
