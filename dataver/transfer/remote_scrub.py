"""A remote read from end to end: what its segments list, and every byte of the packs that they name.

Nothing is written or deleted here.  What lies on the remote and no journal entry names is nobody's
data, and is not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from dataver.errors import CorruptObjectError, DataverError, MissingObjectError
from dataver.formats import segment
from dataver.formats.layout import PACKS_PREFIX, pack_id_of_key, pack_key, segment_key
from dataver.formats.redaction import Erased
from dataver.formats.segment import SegmentRef
from dataver.hashing import derive
from dataver.model.names import ObjectName, StructureId
from dataver.parallel import threads_map_ordered
from dataver.progress import Progress
from dataver.store.bucket import Bucket, KeyMissingError
from dataver.store.remote import Remote
from dataver.transfer.journal_scrub import Finding
from dataver.transfer.scrubbing import Scrubbed, scrub_pack
from dataver.transfer.verify import opened

_ROWS = "dataver scrub rows"
_BARE = segment.ROW_SIZE - 4


class Listed(NamedTuple):
    """What the live segments say of one pack."""

    size: int
    rows: frozenset[bytes]
    """Digests of the rows that segments list of it: mostly one."""
    objects: int


@dataclass(slots=True)
class SegmentScrub:
    """What the live segments list."""

    packs: dict[StructureId, Listed] = field(default_factory=dict)
    found: list[Finding] = field(default_factory=list)
    bad: list[SegmentRef] = field(default_factory=list)
    size: int = 0


def scrub_segments(bucket: Bucket, live: Iterable[SegmentRef]) -> SegmentScrub:
    """Read and verify every live segment, one at a time.  Raises: RemoteError."""
    scrub = SegmentScrub()
    for ref in live:
        key, what = segment_key(ref.segment_id), f"segment {ref.segment_id.hex()[:12]}"
        limit = segment.size_limit_of_head(ref.packs) + ref.rows * segment.ROW_SIZE
        try:
            data = bucket.get(key, 0, limit + 1)
            scrub.size += len(data)
            head, rows = segment.decode_segment(data, ref)
            segment.check_rows(head, rows)
        except KeyMissingError:
            scrub.found.append(Finding(key, what, is_missing=True))
            scrub.bad.append(ref)
            continue
        except DataverError as error:
            if error.exit_status == 4:
                raise
            scrub.found.append(Finding(key, what, is_missing=False, why=error.message))
            scrub.bad.append(ref)
            continue
        parts = [bytearray() for _ in head.packs]
        for at in range(0, len(rows), segment.ROW_SIZE):
            ordinal = int.from_bytes(rows[at + _BARE : at + segment.ROW_SIZE], "little")
            parts[ordinal] += rows[at : at + _BARE]
        for pack, part in zip(head.packs, parts, strict=True):
            before = scrub.packs.get(pack.pack_id)
            digests = (before.rows if before else frozenset()) | {derive(_ROWS, part)}
            scrub.packs[pack.pack_id] = Listed(pack.size, digests, len(part) // _BARE)
    return scrub


def lost_packs(bucket: Bucket, packs: dict[StructureId, Listed]) -> dict[StructureId, str]:
    """Return those of *packs* that are gone (empty text) or of another size (why).  Raises: RemoteError."""
    listed = {
        pack_id: info.size
        for info in bucket.list(PACKS_PREFIX)
        if (pack_id := pack_id_of_key(info.key)) is not None
    }
    lost: dict[StructureId, str] = {}
    for pack_id, known in packs.items():
        if listed.get(pack_id) == known.size:
            continue
        # A listing may be old: what it lacks is gone only when it says so itself.
        found = bucket.head(pack_key(pack_id))
        if found is None:
            lost[pack_id] = ""
        elif found.size != known.size:
            lost[pack_id] = f"{found.size} bytes long, not {known.size}"
    return lost


class PackScrub(NamedTuple):
    """What was found in one pack of a remote."""

    pack_id: StructureId
    result: Scrubbed
    is_missing: bool = False
    """Listed by the store, and not there."""


def scrub_packs(
    remote: Remote,
    packs: Iterable[tuple[StructureId, Listed]],
    erased: Erased,
    jobs: int,
    progress: Progress,
    *,
    total: int,
    size: int,
) -> Iterator[PackScrub]:
    """Yield what was found in each pack; as many are in memory as there are *jobs*.

    *total* packs of *size* bytes are announced to *progress*.
    """
    at_once = min(jobs, remote.bucket.packs_at_once)
    with progress.task("Verifying packs", total=total, size=size) as task:
        for found in threads_map_ordered(partial(_scrub, remote, erased), packs, at_once):
            yield found
            task.advance(1, found.result.size)


def _scrub(remote: Remote, erased: Erased, pack: tuple[StructureId, Listed]) -> PackScrub:
    found = _scrub_once(remote, erased, *pack)
    if found.is_missing or found.result.fault or found.result.bad:
        # A client library may return wrong bytes with success; asked again it rarely does.
        found = _scrub_once(remote, erased, *pack)
    return found


def _scrub_once(remote: Remote, erased: Erased, pack_id: StructureId, listed: Listed) -> PackScrub:
    try:
        data = remote.read_pack(pack_id, listed.size)
    except MissingObjectError:
        return PackScrub(pack_id, Scrubbed(), is_missing=True)
    except CorruptObjectError as error:
        return PackScrub(pack_id, Scrubbed(fault=error.message))
    found, table = scrub_pack(data, pack_id, erased)
    if table is not None and derive(_ROWS, segment.bare_rows(table)) not in listed.rows:
        found.fault = "it holds other objects than its segment lists"
    return PackScrub(pack_id, found)


# -- names ------------------------------------------------------------------------------------------


def names_in(remote: Remote, packs: Set[StructureId]) -> dict[StructureId, list[ObjectName]]:
    """Return what the live segments list of *packs*.  Raises: FormatError, RemoteError."""
    found: dict[StructureId, list[ObjectName]] = {pack_id: [] for pack_id in packs}
    for head, rows in remote.segment_rows():
        ordinals = {n: pack.pack_id for n, pack in enumerate(head.packs) if pack.pack_id in packs}
        if ordinals:
            for name, ordinal in segment.names_in_packs(rows, ordinals):
                found[ordinals[ordinal]].append(name)
    return found


def unsound_in(remote: Remote, pack_id: StructureId, names: list[ObjectName]) -> list[ObjectName]:
    """Return which of *names* a reader would not get out of a pack whose own table is damaged.

    Readers go by the segments, so that such a pack may still serve all that it holds.
    """
    sizes = remote.pack_sizes()
    places = remote.find(names, sizes.keys() - {pack_id})
    try:
        data = remote.read_pack(pack_id, sizes[pack_id])
    except (MissingObjectError, CorruptObjectError):
        return names
    bad = []
    for name in names:
        place = places[name]
        stored = memoryview(data)[place.offset : place.offset + place.stored]
        if opened(name, place.codec, stored, place.raw) is None:
            bad.append(name)
    return bad
