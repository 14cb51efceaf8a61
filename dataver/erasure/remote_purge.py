"""One remote brought to where nothing denied is left: packs written anew, then the old ones erased.

The order is the promise.  The records come first, so that every push that begins afterwards leaves out what
they deny.  Writers that began before are waited for.  What stays of a pack is stored before one journal entry
names the old pack as removed, and only what an entry names is erased.  A run that is killed anywhere is
finished by any later one, from any clone, since all of it is decided by what lies on the remote.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from dataver.erasure.eraser import Eraser, Stored, erase_keys, remaining
from dataver.erasure.examine import Examiner
from dataver.erasure.remote_work import find_work
from dataver.erasure.work import Work
from dataver.errors import CorruptObjectError, DataverError, Failure
from dataver.formats.tree import Substitute
from dataver.model.names import STRUCTURE_KINDS, ObjectName, StructureId
from dataver.progress import SILENT, Progress
from dataver.store.packbuilder import NewPack, PackBuilder
from dataver.store.remote import Remote
from dataver.store.removal import Entries, Going, LostRaceError, Removal
from dataver.store.repacking import read_opened, stored_of

_TRIES = 8
_TICK_S = 1.0
"""Journal entries are dated to the second."""


@dataclass(slots=True)
class Purged:
    """What was done to one remote.  Sizes in bytes."""

    state: str = "clean"
    """`clean`: nothing denied is left; `settling`: writers from before the records are at work;
    `incomplete`: something stays, see `failed`."""
    writers: tuple[str, ...] = ()
    """Who is waited for."""
    entries: int = 0
    """Entries that leaves lost."""
    objects: int = 0
    """Contents, recipes and chunks that went."""
    packs: int = 0
    """Packs that went; of most of them the rest was written anew."""
    written: int = 0
    """Bytes of new packs."""
    removed: int = 0
    """Bytes of packs and segments that went, each version counted once."""
    erased: list[Stored] = field(default_factory=list)
    """Every version that was erased."""
    failed: list[Failure] = field(default_factory=list)


def purge_remote(
    remote: Remote,
    eraser: Eraser,
    examiner: Examiner,
    *,
    writer: tuple[str, str],
    since_s: float,
    known: Mapping[bytes, tuple[Substitute, ...]] | None = None,
    progress: Progress = SILENT,
) -> Purged:
    """Erase from *remote*, whose journal holds the records and was read, all that they deny.

    *writer* is who does it: ids of the clone and its repository.  *since_s* is when the youngest record came
    there, by the store's clock: writers that began by then are waited for.  No threshold or grace applies.

    Raises: LostRaceError; AccessDeniedError where not all versions may be seen; RemoteError.
    """
    done = Purged()
    with remote.begin_removal(*writer) as removal:
        for _ in range(_TRIES):
            done.writers = removal.others()
            oldest_s = removal.oldest_writer_s() if done.writers else math.inf
            if oldest_s <= since_s + _TICK_S:
                done.state = "settling"
                return done
            work = find_work(
                remote, eraser, examiner, oldest_writer_s=oldest_s, known=known, progress=progress
            )
            try:
                _carry_out(remote, removal, eraser, work, done, progress)
            except LostRaceError:
                continue
            _close(work, done)
            return done
    raise LostRaceError(remote.url)


def _close(work: Work, done: Purged) -> None:
    done.failed += work.unreadable
    if done.failed:
        done.state = "incomplete"
    elif work.young:
        done.state = "settling"


def _carry_out(
    remote: Remote, removal: Removal, eraser: Eraser, work: Work, done: Purged, progress: Progress
) -> None:
    """Do what *work* says.  Raises: LostRaceError where others changed what it builds on."""
    going = {**work.packs, **work.orphans}
    written = 0
    with progress.task("Writing packs anew", total=len(work.packs), size=sum(work.packs.values())) as task:
        copied: set[ObjectName] = set(removal.copied)
        builders = {True: PackBuilder(), False: PackBuilder()}
        for pack_id, size in work.packs.items():
            try:
                for new in _rest_of(remote, pack_id, size, work, builders, copied):
                    removal.add_pack(new.data, new.table)
                    written += len(new.data)
            except DataverError as error:
                if error.exit_status != 3:
                    raise
                # What cannot be copied may be the only copy of what stays: it is left, and named.
                removal.withdraw()
                done.failed.append(error.failure())
                return
            task.advance(1, size)
        for builder in builders.values():
            for new in builder.closed():
                removal.add_pack(new.data, new.table)
                written += len(new.data)
    if going or work.segments or removal.has_waste:
        still_holds = _is_no_news if work.unlinked else _is_clean_news
        removal.commit(Going(going, work.segments), work.seq, still_holds, work.told.items())
    doomed = removal.take_doomed()
    keys = [one.key for one in doomed]
    with progress.task("Erasing", total=len(keys) + len(work.stale)) as task:
        done.erased += [one for one in remaining(eraser, keys) if isinstance(one, Stored)]
        done.failed += erase_keys(eraser, keys, removal.renew)
        done.failed += eraser.erase(work.stale) if work.stale else []
        task.advance(len(keys) + len(work.stale))
    done.entries, done.objects = work.entries, len(work.doomed)
    done.packs, done.written = len(going), written
    done.removed = sum(one.size for one in doomed)


def _is_clean_news(entries: Entries) -> bool:
    """Tell whether what others pushed meanwhile changes nothing: they have read the records.

    Whoever removed packs may have copied what is denied into new ones: then it is looked for again.
    """
    return not any(commit.packs_removed for _, commit in entries if commit is not None)


def _is_no_news(entries: Entries) -> bool:
    """Tell whether nothing was pushed meanwhile: it could name what goes for being named by nothing."""
    return all(commit is None for _, commit in entries)


def _rest_of(
    remote: Remote,
    pack_id: StructureId,
    size: int,
    work: Work,
    builders: Mapping[bool, PackBuilder],
    copied: set[ObjectName],
) -> list[NewPack]:
    """Put what stays of a pack into *builders*; return the packs that are full by that.

    Raises: MissingObjectError, CorruptObjectError where something that stays cannot be read.
    """
    table, view = read_opened(remote, pack_id, size)
    full: list[NewPack] = []
    for row in sorted(table.rows(), key=lambda row: row.offset):
        if row.name in work.doomed or row.name in copied:
            continue
        builder = builders[row.name[0] in STRUCTURE_KINDS]
        new = work.replaced.get(row.name)
        if new is not None:
            builder.add_new(row.name, new)
        else:
            builder.add(row, _sound(stored_of(row, view), pack_id, remote))
        copied.add(row.name)
        if builder.is_full:
            full += builder.closed()
    return full


def _sound(stored: memoryview | None, pack_id: StructureId, remote: Remote) -> memoryview:
    if stored is None:
        raise CorruptObjectError(f"pack {pack_id.hex()[:12]}", remote.url)
    return stored
