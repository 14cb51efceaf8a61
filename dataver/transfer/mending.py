"""What a remote lost, stored again: from the cache, from what is sound of damaged packs, from other remotes.

The order is a push's: new packs, a segment, then one entry that also leaves the damaged packs out of
the segments, those of which everything lies elsewhere by then.  No pack is deleted here: what no
segment names is gc's, after its grace period.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from dataver.errors import CorruptObjectError, IntegrityError, MissingObjectError, UnsupportedError
from dataver.formats.journal import MAX_ENTRY_SIZE, decode_entry, first_prev
from dataver.formats.layout import (
    DESCRIPTION_KEY,
    MAX_TEXT_SIZE,
    Description,
    encode_description,
    journal_key,
    segment_key,
)
from dataver.formats.pack import TARGET_SIZE
from dataver.formats.recipe import CHUNK_ABOVE, encode_recipe
from dataver.formats.segment import Place, SegmentRef
from dataver.hashing import Buffer
from dataver.model.names import (
    CHUNK,
    RECIPE,
    STRUCTURE_KINDS,
    ObjectName,
    StructureId,
    chunk_name,
    recipe_name,
)
from dataver.progress import Progress
from dataver.store.bucket import Bucket, KeyMissingError
from dataver.store.packfile import PackWriter
from dataver.store.push import Overtaken, Push
from dataver.store.remote import Remote
from dataver.transfer.cache_scrub import cache_files
from dataver.transfer.cut import cut_blob, read_chunks
from dataver.transfer.orders import read_sound
from dataver.transfer.pack_up import Parcel, parcel_of, temp_pack
from dataver.transfer.send import OvertakenError, Writer
from dataver.transfer.verify import is_sound, opened
from dataver.transfer.wanted import Ends

Object = tuple[ObjectName, Buffer]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where else than in the cache the lost objects are sought."""

    damaged: Sequence[StructureId]
    """Packs of the remote that are there and not all of what they hold is sound."""
    others: Callable[[], Iterator[tuple[str, Remote]]]
    """Other remotes by name, opened when they are asked."""


def mend(
    ends: Ends, writer: Writer, names: Collection[ObjectName], sources: Sources, progress: Progress
) -> dict[ObjectName, str]:
    """Store *names* again, as many as a sound copy is found of; return where each came from.

    The caller has condemned the packs that they lay in.  Raises: OvertakenError: verify again;
    RemoteError.
    """
    came: dict[ObjectName, str] = {}
    with ends.remote.begin(writer.clone_id, writer.repo_id) as push:
        lacking = set(push.missing(sorted(names)))
        with progress.task("Repairing", total=len(lacking)) as task:
            store = _Store(ends, push)
            try:
                for where, found in _found(ends, lacking, sources):
                    for name, data in found:
                        if name in lacking:
                            store.add(name, data)
                            lacking.discard(name)
                            came[name] = where
                            task.advance(1, len(data))
                store.close()
            finally:
                store.drop()
        push.commit((), overtaken=_again)
    return came


def _again(what: Overtaken) -> None:
    raise OvertakenError(what)


class _Store:
    """New packs of data and of structure; what was written of structure goes after all data."""

    def __init__(self, ends: Ends, push: Push) -> None:
        self._ends, self._push = ends, push
        self._open: dict[bool, PackWriter] = {}
        self._held: list[Parcel] = []

    def add(self, name: ObjectName, data: Buffer) -> None:
        is_structure = name[0] in STRUCTURE_KINDS
        if is_structure not in self._open:
            self._open[is_structure] = temp_pack(self._ends.cache, self._ends.disk)
        self._open[is_structure].add(name, data)
        if self._open[is_structure].size >= TARGET_SIZE:
            self._finish(is_structure)

    def close(self) -> None:
        """Send what is waiting."""
        for is_structure in sorted(self._open):
            self._finish(is_structure)
        while self._held:
            self._send(self._held.pop(0))

    def _finish(self, is_structure: bool) -> None:  # noqa: FBT001  a key of the writers
        parcel = parcel_of(self._open.pop(is_structure).close())
        if is_structure:
            self._held.append(parcel)
        else:
            self._send(parcel)

    def _send(self, parcel: Parcel) -> None:
        assert isinstance(parcel.source, str)
        try:
            self._push.add_pack(parcel.source, parcel.table, parcel.size)
        finally:
            self._unlink(parcel.source)

    def drop(self) -> None:
        """Remove what an interruption leaves."""
        for writer in self._open.values():
            writer.abort()
        for parcel in self._held:
            self._unlink(str(parcel.source))
        self._open, self._held = {}, []

    def _unlink(self, path: str) -> None:
        with contextlib.suppress(OSError):
            self._ends.disk.unlink(path)


def _found(ends: Ends, lacking: set[ObjectName], sources: Sources) -> Iterator[tuple[str, Iterable[Object]]]:
    """Yield (where, objects) of sound copies; *lacking* shrinks while it is used."""
    yield "cache", _from_cache(ends, lacking)
    yield "cache", _from_large(ends, lacking)
    for pack_id in sources.damaged:
        yield "the damaged pack", _from_damaged(ends.remote, pack_id, lacking)
    if lacking:
        for name, other in sources.others():
            for found in read_sound(other, set(lacking), ends.jobs):
                yield name, found


def _from_cache(ends: Ends, lacking: set[ObjectName]) -> Iterator[Object]:
    wanted = [name for name in sorted(lacking) if name[0] != CHUNK]
    absent = set(ends.cache.missing(wanted))
    for name in wanted:
        if name in absent:
            continue
        try:
            data = ends.cache.read(name)
        except (MissingObjectError, CorruptObjectError):
            continue
        if is_sound(name, data):
            yield name, data


def _from_large(ends: Ends, lacking: set[ObjectName]) -> Iterator[Object]:
    """Yield chunks and recipes of large blobs of the cache: where a blob is cut never changes."""
    files, _ = cache_files(ends.cache.folder)
    for file in files:
        if file.oid is None or file.size <= CHUNK_ABOVE:
            continue
        if not any(name[0] in (CHUNK, RECIPE) for name in lacking):
            return
        try:
            recipe = cut_blob(ends.cache, file.oid)
            wanted = {oid for oid, _ in recipe.chunks if chunk_name(oid) in lacking}
            for oid, data in read_chunks(ends.cache, file.oid, recipe, wanted):
                yield chunk_name(oid), data
        except (MissingObjectError, CorruptObjectError):
            continue
        if recipe_name(file.oid) in lacking:
            yield recipe_name(file.oid), encode_recipe(recipe)


def _from_damaged(remote: Remote, pack_id: StructureId, lacking: set[ObjectName]) -> Iterator[Object]:
    sizes = remote.pack_sizes()
    places: dict[ObjectName, Place] = remote.find(sorted(lacking), sizes.keys() - {pack_id})
    if not places:
        return
    try:
        data = remote.read_pack(pack_id, sizes[pack_id])
    except (MissingObjectError, CorruptObjectError):
        return
    for name, place in places.items():
        stored = memoryview(data)[place.offset : place.offset + place.stored]
        content = opened(name, place.codec, stored, place.raw)
        if content is not None:
            yield name, content


def is_journal_of(bucket: Bucket, remote_id: str) -> bool:
    """Tell whether the journal's first entry proves that *remote_id* lies here.  Raises: RemoteError."""
    try:
        first = decode_entry(bucket.get(journal_key(1), 0, MAX_ENTRY_SIZE + 1), 1)
    except (KeyMissingError, IntegrityError, UnsupportedError):
        return False
    return first.prev == first_prev(remote_id)


def mend_description(bucket: Bucket, remote_id: str) -> None:
    """Store `dataver.toml` again, where `is_journal_of` proved the id.  Raises: RemoteError."""
    try:
        damaged = bucket.get(DESCRIPTION_KEY, 0, MAX_TEXT_SIZE)
    except KeyMissingError:
        damaged = b""
    has_one_writer = b'"one"' in damaged or not (b'"many"' in damaged or bucket.has_create_if_absent)
    bucket.put(DESCRIPTION_KEY, encode_description(Description(remote_id, has_one_writer)))


def mend_segments(remote: Remote, damaged: Iterable[SegmentRef]) -> set[StructureId]:
    """Store those of the *damaged* segments again of which this clone has a sound copy; return their ids.

    The bytes under a segment's name are always the same, so that nobody has to be told.
    """
    mended = set()
    for ref in damaged:
        copy = remote.segment_copy(ref)
        if copy is not None:
            remote.bucket.put(segment_key(ref.segment_id), copy)
            mended.add(ref.segment_id)
    return mended
