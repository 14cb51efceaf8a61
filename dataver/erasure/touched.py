"""The packs of a remote that an erasure writes anew, found before anything is changed.

Contents lie in them, the recipes and chunks of large ones, leaves that name them, and roots whose guides tell
the beginning of an erased name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import TypeVar

from dataver.erasure.examine import Examiner
from dataver.errors import DataverError
from dataver.formats import codec, segment
from dataver.formats.recipe import decode_recipe
from dataver.formats.root import decode_root
from dataver.hashing import Buffer
from dataver.model.names import LEAF, RECIPE, ROOT, ObjectName, StructureId, chunk_name
from dataver.model.tree import Root
from dataver.store.remote import Remote

T = TypeVar("T")

_AT_ONCE = 256
"""Roots and recipes in memory at a time."""


def packs_touched(remote: Remote, examiner: Examiner, leaves: Set[bytes]) -> dict[StructureId, int]:
    """Return the packs of live segments that hold what *examiner* denies or one of *leaves*, with sizes.

    What the leaves still show is not looked at: a pack counts that would stay since a guide's mark in it
    proves to tell nothing.
    """
    names = {
        ObjectName(bytes(name))
        for _, rows in remote.segment_rows()
        for name in segment.names_of(rows)
        if examiner.is_gone(name) or (name[0] == LEAF and name[2:] in leaves)
    }
    return packs_holding(remote, names, lambda root: _marks(root, leaves))


def packs_holding(
    remote: Remote, names: Iterable[ObjectName], tells: Callable[[Root], bool]
) -> dict[StructureId, int]:
    """Return the packs that hold any of *names*, chunks of such a recipe, or a root that *tells* something.

    With their sizes.  A root that cannot be read counts.  Raises: RemoteError.
    """
    wanted = set(names)
    sizes = remote.pack_sizes()
    recipes = sorted(name for name in wanted if name[0] == RECIPE)
    for _, recipe in _decoded(remote, recipes, lambda name, data: decode_recipe(data)):
        if recipe is not None:
            wanted.update(chunk_name(oid) for oid, _ in recipe.chunks)
    roots = sorted(set(remote.names_of_kind(ROOT)))
    for name, root in _decoded(remote, roots, lambda name, data: decode_root(data, name[2:])):
        if root is None or tells(root):
            wanted.add(name)
    return {place.pack_id: sizes.get(place.pack_id, 0) for place in remote.find(wanted).values()}


def _marks(root: Root, leaves: Set[bytes]) -> bool:
    return any(mark and ref.leaf_id in leaves for ref, mark in zip(root.leaves, root.guide, strict=False))


def _decoded(
    remote: Remote, names: Sequence[ObjectName], decode: Callable[[ObjectName, Buffer], T]
) -> Iterator[tuple[ObjectName, T | None]]:
    """Yield those of *names* that live segments list, decoded; None for what cannot be read."""
    for start in range(0, len(names), _AT_ONCE):
        places = remote.find(names[start : start + _AT_ONCE])
        ranges = [(place.pack_id, place.offset, place.stored) for place in places.values()]
        for (name, place), stored in zip(places.items(), remote.read_ranges(ranges), strict=True):
            found: T | None = None
            if not isinstance(stored, DataverError):
                with contextlib.suppress(DataverError):
                    found = decode(name, codec.decode(place.codec, stored, place.raw))
            yield name, found
