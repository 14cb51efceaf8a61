"""What has to be done to a remote so that nothing denied is left there, and what is known of it meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field

from dataver.erasure.eraser import Stored, Upload
from dataver.errors import Failure
from dataver.model.names import ObjectName, Oid, StructureId
from dataver.store.cache_marks import NameSet


@dataclass(slots=True)
class Work:
    """What has to be done; empty where the remote is clean.  Sizes in bytes."""

    seq: int
    """The last journal entry that it builds on."""
    doomed: set[ObjectName] = field(default_factory=set)
    """Objects that go: contents, recipes, and chunks that only they are made of."""
    replaced: dict[ObjectName, bytes] = field(default_factory=dict)
    """Leaves without their erased entries, and roots of them with a blank guide."""
    unlinked: frozenset[Oid] = frozenset()
    """Contents that go since no leaf names them any more: what others push meanwhile might."""
    told: dict[StructureId, frozenset[bytes]] = field(default_factory=dict)
    """Leaf -> commitments that it loses and that no record names: the removal's entry tells of them."""
    packs: dict[StructureId, int] = field(default_factory=dict)
    """Packs of live segments to be written anew, with their sizes."""
    orphans: dict[StructureId, int] = field(default_factory=dict)
    """Packs that no live segment lists, all their versions."""
    segments: dict[StructureId, int] = field(default_factory=dict)
    """Segments that are not live, all their versions."""
    stale: list[Stored | Upload] = field(default_factory=list)
    """Unfinished uploads and temporary files of writers that are gone."""
    young: list[str] = field(default_factory=list)
    """Keys that a writer who is at work may have stored, and that cannot be judged before it ends."""
    unreadable: list[Failure] = field(default_factory=list)
    """What could not be looked into."""
    entries: int = 0
    """Entries that leaves lose."""

    @property
    def is_empty(self) -> bool:
        return not (
            self.packs or self.orphans or self.segments or self.stale or self.young or self.unreadable
        )


@dataclass(slots=True)
class Seen:
    """What live segments tell that decides what may be said of everything else."""

    chunks: NameSet = field(default_factory=NameSet)
    """Chunks that contents which stay are made of."""
    lost_chunks: set[ObjectName] = field(default_factory=set)
    """Those that contents which go are made of."""
    firsts: dict[bytes, bytes] = field(default_factory=dict)
    """Redacted leaf -> path of the first entry that it still shows; empty for none."""
