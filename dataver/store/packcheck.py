"""Whether packs that the journal names are really there, whole: nothing is "already there" unless they are.

Asked by HEAD where that is fewer requests, else by one listing of names and sizes, which is good
for an hour where listing is dear.  A pack that a listing lacks is lost only when HEAD says so too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

from dataver.disk.disk import Clock
from dataver.formats.layout import PACKS_PREFIX, pack_id_of_key, pack_key
from dataver.model.names import ObjectName, StructureId
from dataver.store.bucket import Bucket
from dataver.store.local import LocalCopies
from dataver.store.segments import Segments

_COPY = "packs-listed"
_HEADER = struct.Struct("<8sd")
_MAGIC = b"dvlist\0\1"
_ROW = struct.Struct("<32sQ")


class PackCheck:
    """What is known of the packs of one remote."""

    def __init__(self, bucket: Bucket, local: LocalCopies, clock: Clock) -> None:
        self._bucket, self._local, self._clock = bucket, local, clock
        self._asked: dict[StructureId, int] = {}
        self.noticed: set[StructureId] = set()
        """Packs that were found lost since `forget`."""
        self._condemned: set[StructureId] = set()
        self._listed: dict[StructureId, int] = {}
        self._listed_s = 0.0
        self._is_listed = False
        self._is_doubted = False

    def forget(self) -> None:
        """Take nothing for known that is not good for longer than one command."""
        self._asked.clear()
        self.noticed.clear()
        if self._is_listed and not self._is_good():
            self._is_listed = False
            self._listed = {}

    def doubt(self) -> None:
        """Take nothing for known, not what was listed within the hour: what is asked next is looked up."""
        self._asked.clear()
        self._listed = {}
        self._is_listed, self._is_doubted = False, True

    def note(self, pack_id: StructureId, size: int) -> None:
        """Take a pack that was just stored for known."""
        self._asked[pack_id] = size

    def condemn(self, packs: Iterable[StructureId]) -> None:
        """Take packs whose bytes proved wrong for lost, though name and size are right."""
        self._condemned.update(packs)

    def lost(self, packs: Mapping[StructureId, int], live: int) -> set[StructureId]:
        """Return those of *packs* (with their sizes) that are gone or of another size.

        *live* is how many packs the remote has, about: it decides between HEAD and a listing.
        Raises: RemoteError.
        """
        condemned = self._condemned.intersection(packs)
        if condemned:
            self.noticed |= condemned
            return condemned | self.lost({p: packs[p] for p in packs if p not in condemned}, live)
        self._load_listing()
        doubtful = self._doubtful(packs)
        if not self._is_listed and len(doubtful) >= max(live, 1) / self._bucket.page_size:
            self._list()
            doubtful = self._doubtful(packs)
        for pack_id in doubtful:
            found = self._bucket.head(pack_key(pack_id))
            if found is not None:
                self._asked[pack_id] = found.size
            else:
                self._asked.pop(pack_id, None)
                self._listed.pop(pack_id, None)
        lost = {pack_id for pack_id in doubtful if self._asked.get(pack_id) != packs[pack_id]}
        self.noticed |= lost
        return lost

    def _doubtful(self, packs: Mapping[StructureId, int]) -> list[StructureId]:
        asked, listed = self._asked.get, self._listed.get
        return [
            pack_id for pack_id, size in packs.items() if asked(pack_id) != size and listed(pack_id) != size
        ]

    def _is_good(self) -> bool:
        return 0 <= self._clock.now_s() - self._listed_s < self._bucket.listing_good_s

    def _list(self) -> None:
        self._listed_s = self._clock.now_s()
        self._listed = {
            pack_id: info.size
            for info in self._bucket.list(PACKS_PREFIX)
            if (pack_id := pack_id_of_key(info.key)) is not None
        }
        self._is_listed = True
        if self._bucket.listing_good_s:
            rows = (_ROW.pack(pack_id, size) for pack_id, size in self._listed.items())
            self._local.write(_COPY, [_HEADER.pack(_MAGIC, self._listed_s), b"".join(rows)])

    def _load_listing(self) -> None:
        if self._is_listed or self._is_doubted or not self._bucket.listing_good_s:
            return
        data = self._local.read(_COPY)
        if data is None or len(data) < _HEADER.size or (len(data) - _HEADER.size) % _ROW.size:
            return
        magic, self._listed_s = _HEADER.unpack_from(data)
        if magic == _MAGIC and self._is_good():
            rows: Iterable[tuple[bytes, int]] = _ROW.iter_unpack(memoryview(data)[_HEADER.size :])
            self._listed = {StructureId(pack_id): size for pack_id, size in rows}
            self._is_listed = True


def missing_of(names: Sequence[ObjectName], segments: Segments, check: PackCheck) -> list[ObjectName]:
    """Return the *names* that no live segment holds in a pack that was found whole, in their order."""
    lost: set[StructureId] = set()
    while True:
        absent, used = segments.absent(names, lost)
        newly_lost = check.lost(used, sum(ref.packs for ref in segments.live)) if used else set()
        if not newly_lost:
            return absent
        lost |= newly_lost
