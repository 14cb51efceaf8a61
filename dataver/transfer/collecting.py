"""Garbage collection of a remote: what no kept version needs is planned, then taken away.

The only module that decides what goes.  Old is what was stored before the grace period, and before
any writer at work began: nothing younger goes, whoever needs it.  A plan is made anew when others
change the remote in the meantime so that it holds no longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dataver.errors import DataverError, Failure, IntegrityError, UnprovenError
from dataver.formats.layout import pack_key
from dataver.model.names import StructureId
from dataver.progress import SILENT, Progress
from dataver.store.bucket import Info
from dataver.store.deleting import Doomed
from dataver.store.leases import DEAD_S, oldest_beginning_s
from dataver.store.listing import Inventory, take_inventory
from dataver.store.marks import Largest, Marks, Use
from dataver.store.remote import Remote
from dataver.store.removal import MOST_NAMED, Entries, Going, LostRaceError, Removal, check_skew
from dataver.transfer.keeping import Keeping, Unreadable
from dataver.transfer.repack import Repacking
from dataver.transfer.wanted import Ends

DEAD_SHARE = 0.25
"""A pack of which more than this is needed by nobody is written anew."""
_TRIES = 8
_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Keep:
    """What must stay."""

    roots: frozenset[bytes]
    """Versions that the repositories reach which were asked."""
    others: frozenset[bytes]
    """Versions that somebody reaches who may keep them elsewhere: one that the remote lacks is no fault."""
    grace_s: int
    since: int
    """Number of the last journal entry when they were asked: versions named later stay too."""
    repos: frozenset[str]
    """Ids of the repositories that were asked."""
    ignores_missing: bool
    """Whether versions that lie neither on the remote nor in the cache are taken for lost."""
    refuse: Callable[[list[Unreadable]], DataverError]
    """Makes the error that says which versions cannot be read."""


@dataclass(slots=True)
class Collection:
    """What a collection took away, or with a dry run would take; sizes in bytes."""

    kept: int = 0
    kept_size: int = 0
    objects: int = 0
    """Objects that no kept version needs."""
    leftovers: int = 0
    """Packs and segments that nothing lists, and what broken writers left."""
    size: int = 0
    """What this gives back."""
    packs: int = 0
    """Packs that go, those written anew among them."""
    copied: int = 0
    """What was copied into new packs."""
    seq: int = 0
    largest: tuple[Largest, ...] = ()
    failed: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Plan:
    seq: int
    """Number of the last journal entry that it builds on."""
    keeping: Keeping
    marks: Marks
    uses: Mapping[StructureId, Use]
    dead: Mapping[StructureId, int]
    """Packs of live segments that go as they are, with their sizes."""
    rewritten: Mapping[StructureId, int]
    """Packs of which the needed part is copied first."""
    orphans: Mapping[StructureId, int]
    segments: Mapping[StructureId, int]
    leftovers: tuple[Doomed, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.dead or self.rewritten or self.orphans or self.segments)

    def summary(self) -> Collection:
        """Return what the plan comes to."""
        going = {*self.dead, *self.rewritten}
        copied = sum(self.uses[pack_id].live_size for pack_id in self.rewritten)
        gone = (
            *self.dead.values(),
            *self.rewritten.values(),
            *self.orphans.values(),
            *self.segments.values(),
            *(one.size for one in self.leftovers),
        )
        return Collection(
            kept=sum(use.live for use in self.uses.values()),
            kept_size=sum(use.live_size for use in self.uses.values() if use.live),
            objects=sum(self.uses[pack_id].dead for pack_id in going),
            leftovers=len(self.orphans) + len(self.segments) + len(self.leftovers),
            size=sum(gone) - copied,
            packs=len(going) + len(self.orphans),
            copied=copied,
            largest=tuple(self.marks.largest_dead(frozenset(going), _MOST_SHOWN)),
        )


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen of a remote before a plan."""

    inventory: Inventory
    now_s: float
    """By the store's clock."""
    limit_s: float
    """Only what was stored by then may go."""
    own: frozenset[StructureId] = frozenset()
    """Packs that an earlier plan of this collection stored: the next entry lists or removes them."""

    def is_old(self, info: Info) -> bool:
        """Tell whether that may go; where the store does not say when it came, it may not."""
        return 0.0 < info.modified_s <= self.limit_s

    def is_abandoned(self, info: Info) -> bool:
        """Tell whether that may go though no entry will name it: nobody who is at work can have stored it.

        The state of a checkpoint lies there before its entry does, and no writer loses a race over it.
        """
        return self.is_old(info) and info.modified_s <= self.now_s - DEAD_S


def rehearse(ends: Ends, keep: Keep, progress: Progress = SILENT) -> Collection:
    """Return what `collect` would do to a remote whose journal was just read; nothing is written.

    Raises: what `collect` does.
    """
    now_s = ends.remote.now_s()
    limit_s = min(now_s - keep.grace_s, oldest_beginning_s(ends.remote.bucket, now_s))
    look = _Look(take_inventory(ends.remote.bucket, ends.remote.seen.seq, now_s), now_s, limit_s)
    check_skew(ends.remote.url, max(look.inventory.newest_s - now_s, 0.0))
    return _plan(ends, keep, look, lambda: None, progress).summary()


def collect(ends: Ends, keep: Keep, writer: tuple[str, str], progress: Progress = SILENT) -> Collection:
    """Take away what *keep* does not need; *writer* is who does it: ids of the clone and its repository.

    Raises: UnprovenError where a repository was not asked or the clocks differ; what *keep* says of
    versions that cannot be read; LostRaceError; RemoteError.  Then nothing was deleted.
    """
    with ends.remote.begin_removal(*writer) as removal:
        for number in range(_TRIES):
            now_s = removal.now_s()
            limit_s = min(now_s - keep.grace_s, removal.oldest_writer_s())
            seq = ends.remote.seen.seq
            look = _Look(take_inventory(ends.remote.bucket, seq, now_s), now_s, limit_s, removal.stored)
            try:
                plan = _plan(ends, keep, look, removal.renew, progress)
                return _carried_out(ends, removal, plan, progress)
            except LostRaceError:
                if number == _TRIES - 1:
                    raise
            except IntegrityError:
                # What is not there may have been taken away by another gc since the journal was read.
                ends.remote.refresh()
                if number == _TRIES - 1 or ends.remote.seen.seq == seq:
                    raise
    raise AssertionError


def _plan(ends: Ends, keep: Keep, look: _Look, alive: Callable[[], None], progress: Progress) -> _Plan:
    """Decide what goes."""
    remote, inventory = ends.remote, look.inventory
    named = _named(remote, keep, look.now_s)
    strangers = sorted((inventory.repos | set(named.values())) - keep.repos)
    if strangers:
        raise UnprovenError(
            remote.url,
            f"repository {strangers[0]} keeps data here too, and was not asked what it needs",
            hint="dataver gc --remote NAME --repo PATH, with the path of a clone of that repository",
        )
    seq, live = remote.seen.seq, remote.live_segments()
    marks = Marks([remote.rows_of(ref) for ref in live])
    keeping = Keeping(ends, marks, alive)
    _mark(keeping, keep, named, progress)
    uses = marks.uses()
    ours = {ref.segment_id for ref in live}
    dead, rewritten = _of_listed(remote, uses, look)
    orphans = {
        pack_id: info.size
        for pack_id, info in inventory.packs.items()
        if pack_id not in uses and pack_id not in look.own and look.is_old(info)
    }
    segments = {
        segment_id: info.size
        for segment_id, info in inventory.segments.items()
        if segment_id not in ours and look.is_old(info)
    }
    leftovers = (*filter(look.is_abandoned, inventory.strays), *inventory.dead_leases)
    doomed = tuple(Doomed(info.key, info.size) for info in leftovers)
    return _Plan(seq, keeping, marks, uses, dead, rewritten, _few(orphans), _few(segments), doomed)


def _named(remote: Remote, keep: Keep, now_s: float) -> dict[bytes, str]:
    """Return the versions that the journal keeps, with the id of the repository that named each."""
    named: dict[bytes, str] = {
        root: one.repo_id for root, one in remote.roots().items() if one.time_s >= now_s - keep.grace_s
    }
    for entry, commit in remote.entries_since(keep.since):
        named.update((root, entry.repo_id) for root in (commit.roots if commit is not None else ()))
    return named


def _mark(keeping: Keeping, keep: Keep, named: Mapping[bytes, str], progress: Progress) -> None:
    unreadable: list[Unreadable] = []
    with progress.task("Reading what is kept", total=len(keep.roots) + len(keep.others) + len(named)) as task:
        for root in sorted(keep.roots):
            found = keeping.add([root], is_named_only=False)
            unreadable += [one for one in found if one.is_listed or not keep.ignores_missing]
            task.advance(1)
        for root in sorted(keep.others.union(named)):
            unreadable += keeping.add([root], is_named_only=True)
            task.advance(1)
    if unreadable:
        raise keep.refuse(unreadable)


def _of_listed(
    remote: Remote, uses: Mapping[StructureId, Use], look: _Look
) -> tuple[dict[StructureId, int], dict[StructureId, int]]:
    """Return the packs of live segments that go as they are, and those to be written anew."""
    dead: dict[StructureId, int] = {}
    rewritten: dict[StructureId, tuple[float, int]] = {}
    for pack_id, use in uses.items():
        info = look.inventory.packs.get(pack_id)
        if info is None and not use.live:
            info = remote.bucket.head(pack_key(pack_id))  # a listing may be stale
        if info is None or look.is_old(info):
            if not use.live:
                dead[pack_id] = use.size if info is not None else 0
            elif info is not None and (use.has_dead_structure or use.dead_size > DEAD_SHARE * use.size):
                rewritten[pack_id] = info.modified_s, use.size
    oldest_first = sorted(rewritten, key=lambda pack_id: (rewritten[pack_id], pack_id))
    return dead, {pack_id: rewritten[pack_id][1] for pack_id in oldest_first}


def _few(found: Mapping[StructureId, int]) -> Mapping[StructureId, int]:
    """Return as many as one journal entry names; the others are found again next time."""
    return dict(list(found.items())[: MOST_NAMED // 2])


def _carried_out(ends: Ends, removal: Removal, plan: _Plan, progress: Progress) -> Collection:
    """Do what *plan* says.  Raises: LostRaceError where others changed what it builds on."""
    done = plan.summary()
    going = {**plan.dead, **plan.orphans}
    if plan.rewritten:
        repacking = Repacking(ends.remote, plan.marks, removal.copied)
        size = sum(plan.rewritten.values())
        with progress.task("Writing packs anew", total=len(plan.rewritten), size=size) as task:
            for new in repacking.packs(plan.rewritten, lambda read: task.advance(1, read)):
                removal.add_pack(new.data, new.table)
        going.update((p, size) for p, size in plan.rewritten.items() if p not in repacking.damaged)
        for pack_id, error in repacking.damaged.items():
            done.failed.append(error.failure())
            done.packs -= 1
            done.objects -= plan.uses[pack_id].dead
            done.size -= plan.uses[pack_id].dead_size
            done.copied -= plan.uses[pack_id].live_size
    else:
        removal.withdraw()
    if going or plan.segments or removal.has_waste:
        before = plan.keeping.news

        def still_holds(entries: Entries) -> bool:
            roots = [root for _, commit in entries if commit is not None for root in commit.roots]
            unreadable = plan.keeping.add(roots, is_named_only=False)
            return not unreadable and plan.keeping.news == before

        roots = plan.marks.dead_roots() if going else frozenset()
        done.seq = removal.commit(Going(going, plan.segments, roots), plan.seq, still_holds)
    with progress.task("Deleting", total=len(going) + len(plan.segments)):
        done.failed += removal.delete(plan.leftovers)
        removal.sweep_temp()
    return done
