"""What versions that stay need of a remote: their roots, leaves, contents, recipes and chunks.

Structure is read from the cache or the remote; recipes from the remote alone, in every copy, since
their names prove nothing of the chunks that they list.  Entries under an erasure record that are
still there count as needed: taking them away is purge's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from dataver.errors import DataverError, MissingObjectError
from dataver.formats import codec
from dataver.formats.recipe import CHUNK_ABOVE, decode_recipe
from dataver.formats.redaction import Erased
from dataver.formats.segment import Place
from dataver.model.names import (
    ObjectName,
    blob_name,
    chunk_name,
    leaf_name,
    oid_of_name,
    recipe_name,
    root_name,
    show_name,
)
from dataver.model.tree import Entry, Root
from dataver.store.marks import Marks
from dataver.store.trees import EMPTY_ROOT_ID
from dataver.transfer.structure import Structure
from dataver.transfer.verify import UNREADABLE
from dataver.transfer.wanted import Ends

_RECIPES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A version of which it cannot be told what it needs."""

    root_id: bytes
    is_listed: bool
    """Whether the remote has its root."""
    error: DataverError


class Keeping:
    """Marks what versions need; each leaf and recipe is looked at once, however many versions have it."""

    def __init__(self, ends: Ends, marks: Marks, alive: Callable[[], None]) -> None:
        """*alive* is called now and then: whoever holds a lease renews it."""
        self._ends, self._marks, self._alive = ends, marks, alive
        erased = ends.erased
        # Stubs are known for what they are, and entries that still stand count nonetheless.
        lenient = Erased(frozenset(), erased.substitutes, erased.told | erased.entries)
        self._structure = Structure(replace(ends, erased=lenient, denies=None))
        self._roots: set[bytes] = set()
        self._leaves: set[bytes] = set()
        self._recipes: set[ObjectName] = set()
        self.news = 0
        """Rows that were marked so far."""

    def add(self, roots: Iterable[bytes], *, is_named_only: bool) -> list[Unreadable]:
        """Mark what *roots* need; return those of which it cannot be told.

        With *is_named_only* one that no live segment lists needs nothing: it is kept elsewhere, or a
        gc with a shorter grace period took it away after the journal named it.
        """
        unreadable = []
        for root_id in roots:
            if root_id in self._roots or root_id == EMPTY_ROOT_ID:
                continue
            is_listed = not self._mark([root_name(root_id)])
            if is_named_only and not is_listed:
                continue
            self._alive()
            try:
                self._add(self._structure.root(root_id))
                self._roots.add(root_id)
            except UNREADABLE as error:
                unreadable.append(Unreadable(root_id, is_listed, error))
        return unreadable

    def _mark(self, names: Sequence[ObjectName]) -> list[ObjectName]:
        unlisted, news = self._marks.mark(names)
        self.news += news
        return unlisted

    def _add(self, root: Root) -> None:
        fresh = [ref for ref in root.leaves if ref.leaf_id not in self._leaves]
        self._mark([leaf_name(ref.leaf_id) for ref in fresh])
        for ref, leaf in self._structure.leaves(fresh):
            if isinstance(leaf, DataverError):
                raise leaf
            self._take([entry for entry in leaf.view if entry.oid is not None])
            self._leaves.add(ref.leaf_id)

    def _take(self, files: Sequence[Entry]) -> None:
        blobs = {blob_name(entry.oid): entry.size for entry in files if entry.oid is not None}
        unlisted = set(self._mark(list(blobs)))
        # Content lies whole or in chunks: where the line is drawn is not told by the format.
        recipes = {
            recipe_name(oid_of_name(name)): size
            for name, size in blobs.items()
            if size > CHUNK_ABOVE or name in unlisted
        }
        fresh = [name for name in recipes if name not in self._recipes]
        absent = set(self._mark(fresh))
        listed = [name for name in fresh if name not in absent]
        for start in range(0, len(listed), _RECIPES_AT_ONCE):
            part = listed[start : start + _RECIPES_AT_ONCE]
            for chunks in self._chunks_of(part):
                self._mark(chunks)
            self._recipes.update(part)
            self._alive()

    def _chunks_of(self, names: Sequence[ObjectName]) -> Iterator[list[ObjectName]]:
        """Yield the chunks that each copy of some recipes lists; one sound copy of each there must be."""
        places = self._marks.places(names)
        ranges = [(place.pack_id, place.offset, place.stored) for _, place in places]
        faults: dict[ObjectName, DataverError] = {}
        sound: set[ObjectName] = set()
        for (name, place), stored in zip(places, self._ends.remote.read_ranges(ranges), strict=True):
            try:
                yield _chunks(place, stored)
                sound.add(name)
            except UNREADABLE as error:
                faults[name] = error
        for name in names:
            if name not in sound:
                raise faults.get(name) or MissingObjectError(show_name(name), "the remote")


def _chunks(place: Place, stored: bytes | DataverError) -> list[ObjectName]:
    if isinstance(stored, DataverError):
        raise stored
    recipe = decode_recipe(codec.decode(place.codec, stored, place.raw))
    return list({chunk_name(oid): None for oid, _ in recipe.chunks})
