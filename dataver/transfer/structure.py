"""Roots and leaves, from the cache and where it lacks them from the remote, a window at a time.

The only module that decides which leaves a transfer opens: those that the wanted paths fall into.
What came from the remote was verified and is handed on for the cache to keep.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence

from dataver.errors import (
    CorruptObjectError,
    DataverError,
    FormatError,
    HostileInputError,
    MissingObjectError,
)
from dataver.formats.redaction import redact
from dataver.formats.tree import Leaf, decode_leaf, encode_leaf
from dataver.hashing import Buffer
from dataver.model.names import ObjectName, leaf_name, show_name
from dataver.model.tree import Entry, LeafRef, Root
from dataver.store.trees import Trees
from dataver.transfer.orders import read_sound
from dataver.transfer.verify import UNREADABLE, fault_of
from dataver.transfer.wanted import Ends, Scope

WINDOW = 64
"""Leaves read ahead at a time: 4 MB of bytes."""

Keep = Callable[[ObjectName, Buffer], None]
"""Takes verified structure that the cache did not have."""


class Structure:
    """The trees that two ends have together."""

    def __init__(self, ends: Ends, keep: Keep | None = None) -> None:
        self._ends = ends
        self._keep = keep
        self._ahead: dict[ObjectName, bytes] = {}
        self._refused: dict[ObjectName, DataverError] = {}
        """What lies on the remote and may not be used, and why."""
        self._trees = Trees(self, ends.erased)
        self.received = 0
        """Objects that came from the remote."""

    # -- reading ------------------------------------------------------------------------------

    def root(self, root_id: bytes) -> Root:
        """Raises: MissingObjectError, CorruptObjectError, FormatError."""
        return self._trees.root(root_id)

    def leaf(self, ref: LeafRef) -> Leaf:
        """Return a verified leaf without what is erased.

        Raises: MissingObjectError, CorruptObjectError, FormatError.
        """
        name = leaf_name(ref.leaf_id)
        data = self._local(name)
        if data is not None:
            try:
                return redact(decode_leaf(data, ref.leaf_id, ref.count), self._ends.erased)
            except (FormatError, HostileInputError):
                self._ends.cache.quarantine(name)
        data = self._remote(name)
        leaf = decode_leaf(data, ref.leaf_id, ref.count)
        seen = redact(leaf, self._ends.erased)
        self._kept(name, data if seen is leaf else encode_leaf(seen))
        return seen

    def read(self, name: ObjectName) -> Buffer:
        """Return the bytes of a root or leaf, verified; see `store.trees.Readable`."""
        data = self._local(name)
        if data is not None and fault_of(name, data) is None:
            return data
        if data is not None:
            self._ends.cache.quarantine(name)
        data = self._remote(name)
        self._kept(name, data)
        return data

    def _local(self, name: ObjectName) -> Buffer | None:
        try:
            return self._ends.cache.read(name) if name not in self._ahead else None
        except (MissingObjectError, CorruptObjectError):
            return None

    def _remote(self, name: ObjectName) -> bytes:
        if name not in self._ahead:
            self._fetch([name])
        try:
            return self._ahead.pop(name)
        except KeyError:
            if name in self._refused:
                raise self._refused[name] from None
            raise MissingObjectError(show_name(name), "the cache nor on the remote") from None

    def _kept(self, name: ObjectName, data: Buffer) -> None:
        self.received += 1
        if self._keep is not None:
            self._keep(name, data)

    def prefetch(self, names: Sequence[ObjectName]) -> None:
        """Read those of *names* that the cache lacks from the remote at once, for `read` and `leaf`."""
        self._ahead = {name: self._ahead[name] for name in names if name in self._ahead}
        lacking = self._ends.cache.missing([name for name in names if name not in self._ahead])
        if lacking:
            self._fetch(lacking)

    def _fetch(self, names: Sequence[ObjectName]) -> None:
        for found in read_sound(self._ends.remote, names, self._ends.jobs, self._refused, takes_more=True):
            self._ahead.update((name, bytes(data)) for name, data in found)

    # -- walking ------------------------------------------------------------------------------

    def leaves(self, refs: Iterable[LeafRef]) -> Iterator[tuple[LeafRef, Leaf | DataverError]]:
        """Yield *refs* with their leaves, read ahead; one that cannot be had is its error."""
        window: list[LeafRef] = []
        for ref in refs:
            window.append(ref)
            if len(window) == WINDOW:
                yield from self._window(window)
                window = []
        yield from self._window(window)

    def _window(self, refs: Sequence[LeafRef]) -> Iterator[tuple[LeafRef, Leaf | DataverError]]:
        if len(refs) > 1:
            self.prefetch([leaf_name(ref.leaf_id) for ref in refs])
        for ref in refs:
            try:
                yield ref, self.leaf(ref)
            except UNREADABLE as error:
                yield ref, error

    def views(self, root: Root, scope: Scope) -> Iterator[list[Entry] | DataverError]:
        """Yield the wanted entries of a tree, leaf by leaf in path order."""
        ranges = scope.ranges()
        if ranges is None:
            for _, leaf in self.leaves(root.leaves):
                yield leaf if isinstance(leaf, DataverError) else _matching(leaf.view, scope)
            return
        found: set[bytes] = set()
        for low, high in _merged(ranges):
            if low[:-1] in found and low.endswith(b"/"):
                continue  # a path that is a file has nothing below it
            if high == low + b"\0":
                entries = self._one(root, low, scope)
                if not isinstance(entries, DataverError):
                    found.update(e.path for e in entries)
                yield entries
            else:
                yield from self._range(root, low, high, scope)

    def _one(self, root: Root, path: bytes, scope: Scope) -> list[Entry] | DataverError:
        try:
            entry = self._trees.find(root.root_id, path)
        except UNREADABLE as error:
            return error
        return [entry] if entry is not None and scope.matches(path) else []

    def _range(
        self, root: Root, low: bytes, high: bytes | None, scope: Scope
    ) -> Iterator[list[Entry] | DataverError]:
        """Yield the wanted entries with `low <= path < high`; the guide says how far to read ahead."""
        if not root.leaves:
            return
        last = bisect.bisect_left(root.guide, high) if root.guide and high is not None else len(root.leaves)
        try:
            position = self._trees.leaf_of(root, low) if low else 0
        except UNREADABLE as error:
            yield error
            return
        ahead = position
        for ref in root.leaves[position:]:
            if position >= ahead and last - position > 1:
                ahead = min(position + WINDOW, last)
                self.prefetch([leaf_name(r.leaf_id) for r in root.leaves[position:ahead]])
            position += 1
            try:
                view = self._trees.leaf(ref).view
            except UNREADABLE as error:
                yield error
                continue
            if view and high is not None and view[0].path >= high:
                return
            inside = [e for e in view if low <= e.path and (high is None or e.path < high)]
            yield _matching(inside, scope)


def _merged(ranges: Iterable[tuple[bytes, bytes | None]]) -> list[tuple[bytes, bytes | None]]:
    """Return *ranges* sorted and without overlaps."""
    merged: list[tuple[bytes, bytes | None]] = []
    for low, high in sorted(ranges, key=lambda r: r[0]):
        if merged:
            before, end = merged[-1]
            if end is None:
                break
            if low < end:
                merged[-1] = (before, None if high is None else max(end, high))
                continue
        merged.append((low, high))
    return merged


def _matching(view: list[Entry], scope: Scope) -> list[Entry]:
    return [e for e in view if scope.matches(e.path)] if scope else view
