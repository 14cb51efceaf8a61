"""Leaves in packs that no live segment of a remote lists: nobody can fetch them, and yet they are there."""

from __future__ import annotations

from collections.abc import Iterator

from dataver.erasure.eraser import Eraser
from dataver.errors import DataverError
from dataver.formats import layout, pack
from dataver.model.names import LEAF
from dataver.store.bucket import KeyMissingError
from dataver.store.remote import Remote
from dataver.store.repacking import content_of


def unlisted_leaves(remote: Remote, eraser: Eraser) -> Iterator[tuple[bytes, bytes]]:
    """Yield (id, bytes) of the leaves in all versions of the packs that no live segment lists.

    What cannot be read is passed over: it is looked into again, and named, when the remote is cleaned.
    Raises: AccessDeniedError where not all versions may be seen; RemoteError.
    """
    listed = remote.pack_sizes()
    for stored in eraser.versions(layout.PACKS_PREFIX):
        name = layout.pack_id_of_key(stored.key)
        if name is None or name in listed or stored.is_marker:
            continue
        try:
            table, view = pack.split(eraser.read(stored))
            for row in table.rows():
                if row.name[0] == LEAF:
                    yield bytes(row.name[2:]), bytes(content_of(row, view))
        except KeyMissingError:
            continue  # its writer or a gc took it away this moment
        except DataverError as error:
            if error.exit_status not in (3, 6):
                raise
