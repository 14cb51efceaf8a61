"""Objects by name from a remote into the cache: what a repair asks for, whichever version needs it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dataver.disk.space import check_space
from dataver.errors import DataverError
from dataver.formats.recipe import decode_recipe
from dataver.formats.redaction import redact
from dataver.formats.tree import decode_leaf, encode_leaf
from dataver.hashing import Buffer
from dataver.model.names import BLOB, LEAF, STRUCTURE_KINDS, ObjectName, oid_of_name, recipe_name
from dataver.progress import Progress
from dataver.transfer.assemble import assemble
from dataver.transfer.intake import Intake
from dataver.transfer.orders import Places, read_sound
from dataver.transfer.unpack import unpack
from dataver.transfer.wanted import Ends


def gather(ends: Ends, names: Collection[ObjectName], progress: Progress) -> None:
    """Bring those of *names* into the cache that the remote has soundly; the others stay away silently.

    Raises: RemoteError, FormatError for segments that cannot be read, DiskFullError, local errors.
    """
    structure = [name for name in names if name[0] in STRUCTURE_KINDS]
    blobs = [name for name in names if name[0] == BLOB]
    with Intake(ends.cache, ends.disk) as intake:
        for found in read_sound(ends.remote, structure, ends.jobs):
            for name, data in found:
                seen = _without_erased(ends, name, data)
                if seen is not None:
                    intake.add(name, seen)
        with progress.task("Repairing", total=len(blobs)) as task:
            for count in _small(ends, intake, blobs):
                task.advance(count)
            intake.publish()
            for count in _large(ends, intake, ends.cache.missing(blobs)):
                task.advance(count)


def _without_erased(ends: Ends, name: ObjectName, data: Buffer) -> Buffer | None:
    if name[0] != LEAF:
        return data
    leaf = decode_leaf(data, name[2:])
    try:
        seen = redact(leaf, ends.erased)
    except DataverError:
        return None
    return data if seen is leaf else encode_leaf(seen)


def _small(ends: Ends, intake: Intake, names: Collection[ObjectName]) -> Iterable[int]:
    """Take what lies on the remote as it is; what a damaged pack holds is sought in others."""
    damaged: set[bytes] = set()
    rest = set(names)
    for _ in range(2):
        places = Places()
        for name, place in ends.remote.find(rest, damaged).items():
            places.add(name, place)
        if not places.count:
            return
        check_space(ends.cache.folder, places.raw)
        rest = set()
        for arrived in unpack(ends, places.orders(ends.remote.pack_sizes())):
            if arrived.pack is not None:
                intake.take_pack(arrived.pack)
            for path, oid, size in arrived.blobs:
                intake.take_blob(path, oid, size)
            yield arrived.good
            bad = [*arrived.missing, *arrived.corrupt]
            if bad:
                damaged.add(arrived.pack_id)
                rest.update(bad)


def _large(ends: Ends, intake: Intake, names: Iterable[ObjectName]) -> Iterable[int]:
    """Make blobs that lie on the remote as chunks."""
    recipes = [recipe_name(oid_of_name(name)) for name in names]
    for found in read_sound(ends.remote, recipes, ends.jobs):
        for name, data in found:
            oid = oid_of_name(name)
            try:
                recipe = decode_recipe(data)
                check_space(ends.cache.folder, recipe.size)
                made = assemble(ends, oid, recipe)
            except DataverError as error:
                if error.exit_status != 3:
                    raise
                continue
            intake.take_blob(made.path, oid, recipe.size)
            intake.add(name, data)
            yield 1


def held_by(ends: Ends, names: Collection[ObjectName]) -> set[ObjectName]:
    """Return those of *names* that a live segment of the remote lists, large blobs by their recipes.

    Raises: RemoteError, FormatError.
    """
    found = set(ends.remote.find(names))
    rest = [name for name in names if name[0] == BLOB and name not in found]
    recipes = {recipe_name(oid_of_name(name)): name for name in rest}
    return found | {recipes[name] for name in ends.remote.find(recipes)}
