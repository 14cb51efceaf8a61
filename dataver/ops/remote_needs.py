"""Which objects versions need on a remote: roots, leaves, small blobs, recipes and their chunks."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from dataver.errors import DataverError
from dataver.formats.recipe import CHUNK_ABOVE, decode_recipe
from dataver.model.names import ObjectName, Oid, blob_name, chunk_name, leaf_name, recipe_name, root_name
from dataver.ops.exchange import Selected
from dataver.ops.whose import Owner, Structured
from dataver.transfer.orders import read_sound
from dataver.transfer.structure import Structure
from dataver.transfer.wanted import Ends, Version

_AT_ONCE = 16_384

Batch = dict[ObjectName, Owner]


def structured(ends: Ends) -> Structured:
    """Return how trees are read from both ends, and recipes from the remote."""
    structure = Structure(ends)
    return Structured(structure.root, structure.leaves, lambda oid, size: _chunks(ends, {oid: size})[oid])


def needs_of(
    ends: Ends, chosen: Selected, version: Version, damaged: Collection[ObjectName] = ()
) -> Iterator[Batch]:
    """Yield all that *version* needs, in batches; what a lost part of a tree names stays unknown.

    Chunks of recipes among the *damaged* are left out: nothing but the whole file proves a recipe.
    """
    structure = Structure(ends)
    owner = Owner(
        version.target, version.target, chosen.blobs.get((version.target, version.root_id), ""), None
    )
    batch: Batch = {root_name(version.root_id): owner}
    large: dict[Oid, tuple[int, Owner]] = {}
    try:
        root = structure.root(version.root_id)
    except DataverError:
        yield batch
        return
    for ref, leaf in structure.leaves(root.leaves):
        batch[leaf_name(ref.leaf_id)] = owner
        for entry in () if isinstance(leaf, DataverError) else leaf.view:
            if entry.oid is None or not version.scope.matches(entry.path):
                continue
            if ends.denies is not None and ends.denies(entry.path, entry.oid):
                continue
            mine = owner._replace(path=version.shown(entry.path), oid=entry.oid)
            if entry.size > CHUNK_ABOVE:
                if recipe_name(entry.oid) not in damaged:
                    large[entry.oid] = entry.size, mine
                batch.setdefault(recipe_name(entry.oid), mine)
            else:
                batch.setdefault(blob_name(entry.oid), mine)
        if len(batch) >= _AT_ONCE:
            yield from _with_chunks(ends, batch, large)
            batch, large = {}, {}
    yield from _with_chunks(ends, batch, large)


def _with_chunks(ends: Ends, batch: Batch, large: dict[Oid, tuple[int, Owner]]) -> Iterator[Batch]:
    if batch:
        yield batch
    if large:
        chunks: Batch = {}
        for oid, found in _chunks(ends, {oid: size for oid, (size, _) in large.items()}).items():
            for chunk in found:
                chunks.setdefault(chunk_name(chunk), large[oid][1])
        yield chunks


def _chunks(ends: Ends, sizes: dict[Oid, int]) -> dict[Oid, Collection[Oid]]:
    """Return the chunks of large blobs, of those whose recipe the remote has soundly."""
    found: dict[Oid, Collection[Oid]] = dict.fromkeys(sizes, ())
    names = {recipe_name(oid): oid for oid in sizes}
    for sound in read_sound(ends.remote, names, ends.jobs):
        for name, data in sound:
            try:
                recipe = decode_recipe(data, sizes[names[name]])
            except DataverError:
                continue
            found[names[name]] = tuple(dict.fromkeys(oid for oid, _ in recipe.chunks))
    return found
