"""What a push that broke left behind: segments that are stored but in no journal entry yet.

The next push of this clone takes them over, so that it sends again only what no segment lists.
"""

from __future__ import annotations

import msgspec

from dataver.formats.segment import SegmentRef
from dataver.model.names import StructureId
from dataver.store.journal import Journal
from dataver.store.local import LocalCopies
from dataver.store.packcheck import PackCheck
from dataver.store.segments import Segments

_PREFIX = "push-"
_MOST_ENTRIES = 4096
_LARGEST_FILE = 1 << 20


class _Left(msgspec.Struct, forbid_unknown_fields=True):
    seq: int
    segments: list[tuple[str, int, int]]


_decode = msgspec.json.Decoder(_Left).decode


class Unfinished:
    """The files in which pushes of this clone say what they have stored."""

    def __init__(self, local: LocalCopies, writer: str) -> None:
        self._local, self._name = local, _PREFIX + writer
        self._taken_over: list[str] = []

    def take_over(self, journal: Journal, segments: Segments, check: PackCheck) -> list[SegmentRef]:
        """Return the segments that earlier pushes left and that can still be relied on.

        None may name a pack that the journal removed since, or that is not there whole: an id
        that was removed is never used again.
        """
        found: dict[SegmentRef, None] = {}
        for name in self._local.names(_PREFIX):
            left = self._read(name)
            if left is None or not 0 <= journal.seen.seq - left.seq <= _MOST_ENTRIES:
                self._local.remove(name)
                continue
            self._taken_over.append(name)
            removed: set[bytes] = set()
            for _, commit in journal.entries_since(left.seq):
                if commit is not None:
                    removed.update(commit.packs_removed)
                    removed.update(commit.segments_removed)
            refs = [SegmentRef(StructureId(bytes.fromhex(i)), p, r) for i, p, r in left.segments]
            found.update((ref, None) for ref in refs if _is_whole(ref, removed, segments, check))
        return list(found)

    def _read(self, name: str) -> _Left | None:
        data = self._local.read(name)
        if data is None or len(data) > _LARGEST_FILE:
            return None
        try:
            left = _decode(data)
            if any(len(bytes.fromhex(i)) != 32 or min(p, r) < 1 for i, p, r in left.segments):
                return None
        except (msgspec.MsgspecError, ValueError):
            return None
        return left

    def note(self, seq: int, refs: list[SegmentRef]) -> None:
        """Write down what this push has stored; *seq* is the last entry that it has looked at."""
        left = _Left(seq, [(ref.segment_id.hex(), ref.packs, ref.rows) for ref in refs])
        self._local.write(self._name, [msgspec.json.encode(left)])

    def done(self) -> None:
        """Forget all of it: it stands in the journal."""
        for name in (*self._taken_over, self._name):
            self._local.remove(name)


def _is_whole(ref: SegmentRef, removed: set[bytes], segments: Segments, check: PackCheck) -> bool:
    if ref.segment_id in removed:
        return False
    packs = segments.packs_if_readable(ref)
    if packs is None or any(pack.pack_id in removed for pack in packs):
        return False
    return not check.lost({pack.pack_id: pack.size for pack in packs}, len(packs))
