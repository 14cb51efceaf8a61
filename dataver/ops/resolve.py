"""`resolve`: settle pointers that Git left in conflict, by entry; the workspace stays as it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace as changed

from dataver.disk.atomic import replace
from dataver.errors import ConflictError, DataverError, Failure, NoSuchPathError, UsageError, show_path
from dataver.formats.pointer import Pointer, encode_pointer, pointer_of
from dataver.model.diff import Change, with_renames
from dataver.model.guarding import ResolvedTarget, ResolveResult
from dataver.model.names import blob_name
from dataver.model.settle import OURS, SIDES, THEIRS, UNION, theirs_name
from dataver.ops.conflicts import Stages, conflict_text, hint_to_resolve, shown, stages_of
from dataver.ops.holding import gitfiles_lock, held
from dataver.ops.merging import Merging, Sides, merging, settled, write_merge
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.workspace import gitfiles
from dataver.workspace.decisions import Decisions
from dataver.workspace.paths import PathLike, Selection, select
from dataver.workspace.pointers import Target
from dataver.workspace.sparse import Sparse


def resolve(
    repo: Repo,
    paths: Sequence[PathLike] = (),
    *,
    side: str | None = None,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> ResolveResult:
    """Merge what does not conflict, take *side* (`ours`, `theirs`, `union`) where it does, and stage it.

    *paths* are targets, or paths inside: then only these are decided, which is remembered, and the
    pointer is resolved with its last one.  Without a *side* it merges again, as after a fetch.
    What stays in conflict is in `failed`.  No file of the workspace changes, but for pointers.

    Raises: NoSuchPathError for a path that is not in conflict, UsageError.
    """
    if side is not None and side not in SIDES:
        raise UsageError(f"unknown side {side!r}; known: {', '.join(SIDES)}")
    chosen = _in_conflict(repo, paths)
    done: list[ResolvedTarget] = []
    failed: list[Failure] = []
    for selection in chosen:
        target = selection.target
        try:
            with held(repo, target.path, progress=progress):
                found = _resolve(repo, selection, side, dry_run=dry_run, progress=progress)
            done.append(found)
            if not found.is_resolved:
                failed.append(
                    ConflictError(target.pointer_path, found.note, hint=hint_to_resolve(target.path)).failure(
                        target.path
                    )
                )
        except NoSuchPathError:
            raise
        except DataverError as error:
            failed.append(error.failure(target.path))
    return ResolveResult(tuple(done), side or "", dry_run, failed=tuple(failed))


def _in_conflict(repo: Repo, paths: Sequence[PathLike]) -> list[Selection]:
    """Return the targets in conflict that *paths* name.  Raises: NoSuchPathError."""
    targets = repo.targets()
    for path in paths:
        if not any(s.target.is_conflict for s in select(targets, [path], repo.cwd, repo.top)):
            error = NoSuchPathError(os.fsencode(path), what=f"{show_path(path)} is not in conflict")
            error.hint = "dataver status"
            raise error
    return [s for s in select(targets, paths, repo.cwd, repo.top) if s.target.is_conflict]


def _resolve(
    repo: Repo, selection: Selection, side: str | None, *, dry_run: bool, progress: Progress
) -> ResolvedTarget:
    target = selection.target
    stages = stages_of(repo, target)
    if stages.sides is None:
        return _choose_pointer(repo, selection, stages, side, dry_run=dry_run, progress=progress)
    with merging(repo, stages.sides) as work:
        decisions = Decisions(f"{repo.own_folder}/decisions", repo.disk)
        decided = decisions.load(target.path, target.stages)
        decided |= _decisions(work, selection, side)
        result = _settle(repo, work, target, decided, side, dry_run=dry_run)
        if dry_run:
            return result[0]
        if result[1] is None:
            work.writer.commit()  # what came from the remote
            if side is not None:
                decisions.save(target.path, target.stages, decided)
            return result[0]
        _publish(repo, target.pointer_path, result[1], progress=progress)
        for path, pointer in result[2]:
            _publish_beside(repo, path, pointer, progress=progress)
        decisions.drop(target.path)
        return result[0]


def _decisions(work: Merging, selection: Selection, side: str | None) -> dict[bytes, str]:
    """Return what is decided now, conflict path -> side.

    Raises: NoSuchPathError for a path in which nothing conflicts.
    """
    target, patterns = selection
    matched: set[bytes] = set()
    decided: dict[bytes, str] = {}
    for conflict in work.merge.conflicts:
        names = {conflict.path, *(e.path for e in conflict[2:] if e is not None)}
        hits = {p for p in patterns if any(Sparse([p]).matches(name) for name in names)}
        matched |= hits
        if side is not None and (hits or not patterns):
            decided[conflict.path] = side
    for pattern in patterns:
        if pattern not in matched:
            shown_path = target.path + b"/" + pattern
            error = NoSuchPathError(shown_path, what=f"{show_path(shown_path)} is not in conflict")
            error.hint = f"dataver resolve {show_path(target.pointer_path)}"
            raise error
    if side is not None and not patterns:
        decided |= {_note_name(key): side for key in work.note_conflicts}
    return decided


def _note_name(key: str) -> bytes:
    """Return under what a key of the note is decided: no path of a tree begins so."""
    return b"/note/" + key.encode()


_Outcome = tuple[ResolvedTarget, Pointer | None, list[tuple[bytes, Pointer]]]
"""What is told, the pointer to write (None while conflicts are left), and pointers beside it."""


def _settle(
    repo: Repo,
    work: Merging,
    target: Target,
    decided: Mapping[bytes, str],
    side: str | None,
    *,
    dry_run: bool,
) -> _Outcome:
    """Carry out the decisions; the tree is durable in the cache when a pointer is returned."""
    sides = work.sides
    beside: list[tuple[bytes, Pointer]] = []
    if not sides.ours.is_folder and UNION in decided.values():
        # A file's pointer holds one file: theirs gets a pointer of its own.
        if any(c.ours is not None and c.theirs is not None for c in work.merge.conflicts):
            beside.append((_free_target(repo, target.path), sides.theirs))
        decided = {path: OURS if s == UNION else s for path, s in decided.items()}
    settlement = settled(work, decided)
    keys_left = tuple(key for key in work.note_conflicts if _note_name(key) not in decided)
    said = ResolvedTarget(
        path=target.path,
        pointer=target.pointer_path,
        is_folder=sides.ours.is_folder,
        is_resolved=not (settlement.conflicts or keys_left),
        conflicts=shown(settlement.conflicts, target.path, is_folder=sides.ours.is_folder),
        note_keys=keys_left,
        decided=len(work.merge.conflicts) - len(settlement.conflicts),
    )
    if not said.is_resolved:
        left = work.merge._replace(conflicts=settlement.conflicts)
        note = conflict_text(changed(work, merge=left, note_conflicts=keys_left), target.path)
        return changed(said, note=note), None, []
    note_text = _settled_note(work, decided)
    written = write_merge(repo, work, settlement, note_text, target=target.path, dry_run=dry_run)
    lacking = [blob_name(c.new.oid) for c in written.changes if c.new is not None and c.new.oid is not None]
    kept = [(_outer(target, sides, old), _outer(target, sides, new)) for old, new in settlement.beside]
    kept += [(target.path, path) for path, _ in beside]
    said = changed(
        said,
        changes=tuple(_outer_change(target, sides, c) for c in with_renames(written.changes)),
        beside=tuple(kept),
        files=written.pointer.files,
        size_text=written.pointer.size_text,
        absent=len(repo.cache.missing(lacking)),
    )
    return said, written.pointer, beside


def _outer(target: Target, sides: Sides, path: bytes) -> bytes:
    return target.path + b"/" + path if sides.ours.is_folder else target.path


def _outer_change(target: Target, sides: Sides, change: Change) -> Change:
    old, new = (
        entry and entry._replace(path=_outer(target, sides, entry.path)) for entry in (change.old, change.new)
    )
    return change._replace(path=_outer(target, sides, change.path), old=old, new=new)


def _settled_note(work: Merging, decided: Mapping[bytes, str]) -> dict[str, str]:
    """Return the merged note; with `union` theirs stands beside ours as `KEY-theirs`."""
    note = dict(work.note)
    for key in work.note_conflicts:
        side, theirs = decided.get(_note_name(key), OURS), work.sides.theirs.note.get(key)
        if side == THEIRS or (side == UNION and key not in note):
            note.pop(key, None)
            if theirs is not None:
                note[key] = theirs
        elif side == UNION and theirs is not None:
            note.setdefault(f"{key}-theirs", theirs)
    return note


# -- whole pointers -------------------------------------------------------------------------------


def _choose_pointer(
    repo: Repo, selection: Selection, stages: Stages, side: str | None, *, dry_run: bool, progress: Progress
) -> ResolvedTarget:
    """Settle what no merge by entry can: a pointer that one side deleted, or a file against a folder."""
    target = selection.target
    if selection.patterns:
        shown_path = target.path + b"/" + selection.patterns[0]
        error = NoSuchPathError(shown_path, what=f"{show_path(shown_path)} is not in conflict by itself")
        error.hint = hint_to_resolve(target.path)
        raise error
    pointer = stages.ours if side == OURS else stages.theirs
    beside: list[tuple[bytes, Pointer]] = []
    if side == UNION:
        pointer = stages.ours or stages.theirs
        if stages.ours is not None and stages.theirs is not None:
            beside.append((_free_target(repo, target.path), stages.theirs))
    known = pointer or stages.ours or stages.theirs or stages.base
    is_folder = known is not None and known.is_folder
    said = ResolvedTarget(
        path=target.path,
        pointer=target.pointer_path,
        is_folder=is_folder,
        is_resolved=side is not None,
        is_deleted=side is not None and pointer is None,
        note=_whole_text(stages),
        beside=tuple((target.path, path) for path, _ in beside),
        files=pointer.files if pointer is not None else 0,
        size_text=pointer.size_text if pointer is not None else "",
    )
    if side is None or dry_run:
        return said
    _publish(repo, target.pointer_path, pointer, progress=progress)
    for path, other in beside:
        _publish_beside(repo, path, other, progress=progress)
    return said


def _whole_text(stages: Stages) -> str:
    if stages.ours is not None and stages.theirs is not None:
        kinds = ["a folder" if p.is_folder else "a file" for p in (stages.ours, stages.theirs)]
        return f"{kinds[0]} on our side, {kinds[1]} on theirs"
    if stages.ours is None and stages.theirs is None:
        return "deleted, or renamed to two names"
    gone, there = ("theirs", "ours") if stages.theirs is None else ("ours", "theirs")
    return f"the pointer is on one side only: {there} has it, {gone} has not"


def _free_target(repo: Repo, path: bytes) -> bytes:
    """Return a name beside *path* at which nothing is."""
    number = 1
    while True:
        name = theirs_name(path, number)
        if not any(os.path.lexists(repo.workspace.absolute(p)) for p in (name, pointer_of(name))):
            return name
        number += 1


def _publish(repo: Repo, path: bytes, pointer: Pointer | None, *, progress: Progress) -> None:
    """Write a pointer, or delete it for None, and stage it: that ends the conflict for Git."""
    whole = repo.workspace.absolute(path)
    if pointer is not None:
        replace(repo.disk, whole, encode_pointer(pointer))
    else:
        with contextlib.suppress(FileNotFoundError):
            repo.disk.unlink(whole)
    with gitfiles_lock(repo, progress=progress):
        repo.git.stage([path], force=True)


def _publish_beside(repo: Repo, target: bytes, pointer: Pointer, *, progress: Progress) -> None:
    """Write a new target's pointer and ignore line, and stage both."""
    path, ignore_file = pointer_of(target), gitfiles.ignore_file_of(target)
    replace(repo.disk, repo.workspace.absolute(path), encode_pointer(pointer))
    with gitfiles_lock(repo, progress=progress):
        gitfiles.add_line(repo.top, ignore_file, gitfiles.ignore_line(target), repo.disk)
        repo.git.stage([path, ignore_file], force=True)
