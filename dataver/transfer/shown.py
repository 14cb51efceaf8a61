"""What a remote was just shown to hold whole: the only proof on which a last local copy may go.

Nothing that was known before counts: the journal is read thoroughly, every live segment is looked
for, and the packs' names and sizes are listed anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dataver.errors import DataverError, MissingObjectError
from dataver.formats.layout import segment_key
from dataver.formats.recipe import CHUNK_ABOVE, decode_recipe
from dataver.hashing import Buffer
from dataver.model.names import ObjectName, Oid, blob_name, chunk_name, oid_of_name, recipe_name
from dataver.store.remote import Remote
from dataver.transfer.orders import read_sound

_AT_ONCE = 16_384


def look_anew(remote: Remote) -> None:
    """Make *remote* answer from what lies there now.

    Raises: RemoteStateError, MissingObjectError where a segment that it needs is gone, RemoteError.
    """
    remote.refresh(thoroughly=True)
    remote.doubt_packs()
    for ref in remote.live_segments():
        if remote.bucket.head(segment_key(ref.segment_id)) is None:
            # A copy here would hide that nobody else finds anything in it.
            raise MissingObjectError(f"segment {ref.segment_id.hex()[:12]}", remote.url)


def held_blobs(remote: Remote, blobs: Iterable[tuple[Oid, int]], jobs: int) -> Iterator[Oid]:
    """Yield those of *blobs* (with their sizes in bytes) that *remote* holds whole.

    `look_anew` came before.  One above 8 MiB is whole when its recipe and each chunk are there.
    Raises: RemoteError.
    """
    small: list[ObjectName] = []
    large: dict[ObjectName, int] = {}
    for oid, size in blobs:
        if size > CHUNK_ABOVE:
            large[recipe_name(oid)] = size
        else:
            small.append(blob_name(oid))
        if len(small) >= _AT_ONCE:
            yield from _held_small(remote, small)
            small = []
    yield from _held_small(remote, small)
    yield from _held_large(remote, large, jobs)


def _held_small(remote: Remote, names: list[ObjectName]) -> Iterator[Oid]:
    lacking = set(remote.missing(names)) if names else set()
    yield from (oid_of_name(name) for name in names if name not in lacking)


def _held_large(remote: Remote, sizes: dict[ObjectName, int], jobs: int) -> Iterator[Oid]:
    names = list(sizes)
    if not names:
        return
    lacking = set(remote.missing(names))
    present = [name for name in names if name not in lacking]
    for found in read_sound(remote, present, jobs):
        for name, data in found:
            if not _lacks_chunks(remote, data, sizes[name]):
                yield oid_of_name(name)


def _lacks_chunks(remote: Remote, recipe: Buffer, size: int) -> bool:
    try:
        chunks = decode_recipe(recipe, size).chunks
    except DataverError:
        return True
    return bool(remote.missing(sorted({chunk_name(oid) for oid, _ in chunks})))
