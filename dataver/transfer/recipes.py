"""What large files are called on a remote, and the chunks that their recipes there name."""

from __future__ import annotations

from collections.abc import Mapping

from dataver.errors import DataverError
from dataver.formats.recipe import CHUNK_ABOVE, decode_recipe
from dataver.hashing import Buffer
from dataver.model.names import ObjectName, Oid, blob_name, chunk_name, recipe_name
from dataver.model.tree import Entry
from dataver.transfer.orders import read_sound
from dataver.transfer.wanted import Ends


def name_there(oid: Oid, size: int) -> ObjectName:
    """Return the name under which content is looked for first: a large file is likely cut into chunks."""
    return (recipe_name if size > CHUNK_ABOVE else blob_name)(oid)


def chunks_there(
    ends: Ends, recipes: Mapping[ObjectName, Entry]
) -> dict[ObjectName, list[ObjectName] | None]:
    """Return the chunks that each of *recipes*, all on the remote, names; None for one that is unreadable."""
    bodies: dict[ObjectName, Buffer] = {}
    if recipes:
        for sound in read_sound(ends.remote, recipes, ends.jobs):
            bodies.update(sound)
    found: dict[ObjectName, list[ObjectName] | None] = {}
    for name, entry in recipes.items():
        try:
            parts = decode_recipe(bodies.get(name, b""), entry.size).chunks
        except DataverError:
            found[name] = None
        else:
            found[name] = [chunk_name(oid) for oid, _ in parts]
    return found
