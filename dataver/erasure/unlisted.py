"""What no live segment of a remote lists: nobody can fetch it, and yet it is there.

Packs and segments of pushes that broke, those that a `gc` took away from a bucket which keeps old versions,
and unfinished uploads.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from dataver.erasure.eraser import Eraser, Stored, Upload
from dataver.erasure.examine import Examiner, first_shown, telling_guide
from dataver.erasure.work import Seen, Work
from dataver.errors import DataverError
from dataver.formats import layout, pack, segment
from dataver.formats.root import decode_root
from dataver.formats.tree import decode_leaf
from dataver.hashing import Buffer
from dataver.model.names import BLOB, CHUNK, LEAF, ROOT, ObjectName, StructureId
from dataver.model.tree import Root
from dataver.progress import Progress
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


class Unlisted:
    """One look at what no live segment of a remote lists: it adds to the work what has to be done to that."""

    def __init__(
        self,
        remote: Remote,
        eraser: Eraser,
        examiner: Examiner,
        seen: Seen,
        work: Work,
        oldest_writer_s: float,
    ) -> None:
        """Judge by what was *seen* in live segments.

        *oldest_writer_s* is when the writer began that is at work longest, by the store's clock.
        """
        self._remote, self._eraser, self._examiner = remote, eraser, examiner
        self._seen, self._work, self._oldest_writer_s = seen, work, oldest_writer_s
        self._roots_seen: list[Root] = []
        """Those of the pack that was looked into last."""
        self._roots: dict[StructureId, tuple[int, list[Root]]] = {}
        """Pack that may stay so far -> its size and roots."""

    def look(self, progress: Progress) -> None:
        """Look into all versions of packs and segments that are not live, and into unfinished uploads.

        Raises: AccessDeniedError where not all versions may be seen; RemoteError.
        """
        listed = self._remote.pack_sizes()
        live = {ref.segment_id for ref in self._remote.live_segments()}
        for found in (layout.PACKS_PREFIX, layout.SEGMENTS_PREFIX):
            is_packs = found == layout.PACKS_PREFIX
            by_key: dict[str, list[Stored]] = {}
            for stored in self._eraser.versions(found):
                by_key.setdefault(stored.key, []).append(stored)
            with progress.task("Looking into what is unlisted", total=len(by_key)) as task:
                for key, versions in by_key.items():
                    task.advance()
                    name = layout.pack_id_of_key(key) if is_packs else layout.segment_id_of_key(key)
                    if name is None:
                        self._judge_stray(versions)
                    elif name not in (listed if is_packs else live):
                        into = self._work.orphans if is_packs else self._work.segments
                        self._judge(name, versions, into, is_pack=is_packs)
            for upload in self._eraser.uploads(found):
                self._or_young(upload, upload.started_s)
        # The leaves of a root may have lain in a pack that was looked into after it.
        for name, (size, roots) in self._roots.items():
            if any(telling_guide(root, self._seen.firsts) for root in roots):
                self._work.orphans[name] = size

    def _judge_stray(self, versions: Iterable[Stored]) -> None:
        for stored in versions:
            self._or_young(stored, stored.modified_s)

    def _or_young(self, item: Stored | Upload, time_s: float) -> None:
        if time_s < self._oldest_writer_s:
            self._work.stale.append(item)
        else:
            self._work.young.append(item.key)

    def _judge(
        self, name: StructureId, versions: list[Stored], into: dict[StructureId, int], *, is_pack: bool
    ) -> None:
        size = max(stored.size for stored in versions)
        for stored in versions:
            if stored.is_marker:
                continue
            try:
                data = self._eraser.read(stored)
            except KeyMissingError:
                continue  # its writer or a gc took it away this moment
            said = self._pack_holds(data) if is_pack else self._segment_holds(data, name)
            if said == "denied" or (said == "unknown" and stored.modified_s < self._oldest_writer_s):
                into[name] = size
                return
            if is_pack and self._roots_seen and stored.modified_s < self._oldest_writer_s:
                self._roots[name] = size, self._roots_seen
            if said == "unknown":
                self._work.young.append(stored.key)

    def _pack_holds(self, data: bytes) -> str:
        """Return `denied`, `clean`, or `unknown`: chunks of nobody knows what, or no readable pack."""
        said = "clean"
        self._roots_seen = []
        try:
            table, view = pack.split(data)
            for row in table.rows():
                content = b"" if row.name[0] in (BLOB, CHUNK) else content_of(row, view)
                found = self._object_is(row.name, content)
                if found == "denied":
                    return found
                said = found if found == "unknown" else said
        except DataverError:
            return "unknown"
        return said

    def _object_is(self, name: ObjectName, data: Buffer) -> str:
        if name[0] == CHUNK:
            if name in self._seen.lost_chunks and name not in self._seen.chunks:
                return "denied"
            return "clean" if name in self._seen.chunks else "unknown"
        is_denied = self._examiner.is_gone(name)
        if name[0] == LEAF:
            leaf = decode_leaf(data, name[2:])
            is_denied = bool(self._examiner.denied_in(leaf))
            change = self._examiner.redacted(leaf) if is_denied else None
            if change is not None:
                left = decode_leaf(change.data, leaf.leaf_id)
                self._seen.firsts.setdefault(leaf.leaf_id, first_shown(left))
        elif name[0] == ROOT:
            self._roots_seen.append(decode_root(data, name[2:]))
            is_denied = telling_guide(self._roots_seen[-1], self._seen.firsts)
        return "denied" if is_denied else "clean"

    def _segment_holds(self, data: bytes, name: StructureId) -> str:
        if segment.segment_id(data) != name:
            return "unknown"
        said = "clean"
        try:
            rows = memoryview(data)[segment.rows_start(data) :]
            names = list(segment.names_of(rows))
        except struct.error:
            return "unknown"
        for found in names:
            if found[0] == CHUNK and found not in self._seen.chunks:
                said = "denied" if found in self._seen.lost_chunks else "unknown"
            elif self._examiner.is_gone(found):
                said = "denied"
            if said == "denied":
                return said
        return said
