"""One pack on its way to a remote: out of memory, from a temp file, or from the cache, verified once more."""

from __future__ import annotations

import contextlib

from dataver.disk.disk import Disk
from dataver.model.names import ObjectName
from dataver.parallel import Buffers
from dataver.store.cache import CachedPack
from dataver.transfer.pack_up import Parcel, checked_pack, repacked
from dataver.transfer.session import Session

Shipped = tuple[Parcel | None, list[ObjectName]]
"""A pack that arrived, and objects that were left out because they are damaged."""


def ship(session: Session, buffers: Buffers, disk: Disk, order: tuple[Parcel, bytearray | None]) -> Shipped:
    """Send one pack, with memory for it where it comes out of the cache; runs in a thread.

    Raises: RemoteError, local errors.
    """
    parcel, memory = order
    if isinstance(parcel.source, CachedPack):
        assert memory is not None
        return _ship_cached(session, buffers, parcel, parcel.source, memory)
    try:
        session.upload(parcel.table.pack_id, parcel.source)
    finally:
        if isinstance(parcel.source, memoryview):
            buffers.give(parcel.source)
        else:
            with contextlib.suppress(OSError):
                disk.unlink(parcel.source)
    return parcel, []


def _ship_cached(
    session: Session, buffers: Buffers, parcel: Parcel, cached: CachedPack, memory: bytearray
) -> Shipped:
    """Send a pack of the cache as it is, or anew where some of it is damaged."""
    memory.extend(bytes(max(cached.size - len(memory), 0)))
    view = memoryview(memory)[: cached.size]
    try:
        checked = checked_pack(cached, view)
        if checked.is_sound:
            session.upload(checked.table.pack_id, view)
            return parcel._replace(table=checked.table, raw=checked.raw), []
    finally:
        buffers.give(view)
    anew, bad = repacked(cached, set(checked.bad))
    if anew is not None:
        assert isinstance(anew.source, memoryview)
        session.upload(anew.table.pack_id, anew.source)
    return anew, bad
