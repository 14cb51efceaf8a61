"""What lies on a remote by name, size and age, as a removal has to know it.

A key of no known form is nobody's to delete and left out, but for what a broken upload of ours
left under its temporary name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dataver.disk.atomic import TEMP_PREFIX
from dataver.errors import DataverError
from dataver.formats import journal, layout
from dataver.model.names import StructureId
from dataver.store.bucket import Bucket, Info, KeyMissingError, get_all
from dataver.store.leases import dead_leases

_STATES_PREFIX = "states/"
_JOBS = 16
_READ_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a listing of a remote showed."""

    packs: dict[StructureId, Info] = field(default_factory=dict)
    segments: dict[StructureId, Info] = field(default_factory=dict)
    repos: frozenset[str] = frozenset()
    """Ids of the repositories that are registered."""
    strays: tuple[Info, ...] = ()
    """Broken uploads, and states that no checkpoint names."""
    dead_leases: tuple[Info, ...] = ()

    @property
    def newest_s(self) -> float:
        """When the youngest of it was stored, by the store's clock; 0.0 where it does not say."""
        return max((info.modified_s for info in (*self.packs.values(), *self.segments.values())), default=0.0)


def take_inventory(bucket: Bucket, newest_seq: int, now_s: float) -> Inventory:
    """List a remote whose journal has *newest_seq* entries, when it is *now_s* by the store's clock.

    Raises: RemoteError.
    """
    taken = Inventory(
        repos=frozenset(
            info.key.removeprefix(layout.REPOS_PREFIX) for info in bucket.list(layout.REPOS_PREFIX)
        )
    )
    broken = []
    for info in bucket.list(layout.PACKS_PREFIX):
        pack_id = layout.pack_id_of_key(info.key)
        if pack_id is not None:
            taken.packs[pack_id] = info
        elif _is_temp(info.key):
            broken.append(info)
    for info in bucket.list(layout.SEGMENTS_PREFIX):
        segment_id = layout.segment_id_of_key(info.key)
        if segment_id is not None:
            taken.segments[segment_id] = info
        elif _is_temp(info.key):
            broken.append(info)
    strays = (*broken, *_unnamed_states(bucket, newest_seq))
    return Inventory(taken.packs, taken.segments, taken.repos, strays, tuple(dead_leases(bucket, now_s)))


def _is_temp(key: str) -> bool:
    return key.rpartition("/")[2].startswith(TEMP_PREFIX)


def _unnamed_states(bucket: Bucket, newest_seq: int) -> Iterator[Info]:
    """Yield the states that no checkpoint names: those of writers that lost its number to another.

    Where any checkpoint cannot be read, nothing is unnamed.
    """
    states = list(bucket.list(_STATES_PREFIX))
    checkpoints = range(journal.STRIDE, newest_seq + 1, journal.STRIDE)
    if len(states) <= len(checkpoints):
        return
    named = set()
    for start in range(0, len(checkpoints), _READ_AT_ONCE):
        seqs = checkpoints[start : start + _READ_AT_ONCE]
        requests = [(layout.journal_key(seq), 0, journal.MAX_ENTRY_SIZE + 1) for seq in seqs]
        for seq, data in zip(seqs, get_all(bucket, requests, _JOBS), strict=True):
            if isinstance(data, KeyMissingError):
                return
            try:
                named.add(layout.state_key(journal.decode_entry(data, seq).state))
            except DataverError:
                return
    yield from (info for info in states if info.key not in named)
