"""`checkout`: bring the workspace to the pointers, or to those of a revision."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dataver.disk.link import LINK_TYPES, LinkType
from dataver.errors import (
    DataverError,
    Failure,
    NoSuchPathError,
    UsageError,
    erased_warning,
    show_path,
    strictly,
)
from dataver.formats.pointer import Pointer
from dataver.hashing import ALGORITHM_CODES
from dataver.model.diff import Change
from dataver.model.names import is_below
from dataver.model.results import CheckedOutTarget, CheckoutResult
from dataver.model.sizes import size_range
from dataver.ops.choosing import Choice, check_inside, choose, erased_warnings, origin_hint
from dataver.ops.holding import as_it_is_now, gitfiles_lock, held
from dataver.ops.obeying import NOTHING, obey_here
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.store.trees import EMPTY_ROOT_ID
from dataver.workspace.checkout import Checkout
from dataver.workspace.clearing import Desired, Outcome
from dataver.workspace.export import Version, export
from dataver.workspace.leftovers import sweep_beside, sweep_inside
from dataver.workspace.moves import follow_moves
from dataver.workspace.paths import PathLike
from dataver.workspace.record import Record
from dataver.workspace.workspace import Look, Tracked


def checkout(
    repo: Repo,
    rev: str | None = None,
    paths: Sequence[PathLike] = (),
    *,
    force: bool = False,
    dry_run: bool = False,
    to: PathLike | None = None,
    relink: bool = False,
    link: str | None = None,
    whole: bool = False,
    strict: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> CheckoutResult:
    """Write what differs from the pointers (of *rev*, where given) from the cache; never the network.

    *paths* narrow it, and make a first checkout sparse; *whole* widens a sparse one again.  *to* is
    a folder that gets a copy of the version beside the present one.  Files with changes that are
    not in the cache keep their target as it is, unless *force*: then they go to the trash.  Files
    that were erased go in any case, for good; with *strict* it counts as failed that they are left out.

    Raises: UnknownRevisionError, NoSuchPathError, UsageError.
    """
    links = _links(repo, link)
    obeyed = NOTHING if dry_run else obey_here(repo, progress=progress)
    moved = {} if rev or dry_run or to is not None else _follow_moves(repo, progress)
    chosen = choose(repo, rev, paths)
    done: list[CheckedOutTarget] = []
    failed: list[Failure] = [*chosen.failed, *obeyed.failed]
    warnings: list[Failure] = list(obeyed.warnings)
    planned: list[Change] = []
    beside = {t.path: t.pointer.root_id for t in repo.targets() if t.pointer is not None} if rev else {}
    if to is None and not dry_run:
        sweep_beside(repo.workspace, repo.git, (choice.path for choice in chosen.choices))
    for choice in chosen.choices:
        try:
            check_inside(repo, choice)
            if to is not None:
                folder = Path(repo.cwd, os.fsdecode(to))
                version = Version(choice.path, choice.pointer, choice.patterns)
                with repo.cache_lock(shared=True, progress=progress):
                    outcome = export(repo.cache, repo.trees, version, folder, links)
            else:
                with held(repo, choice.path, progress=progress):
                    choice = choice if rev else _as_it_is_now(repo, choice)
                    outcome = _bring(
                        repo, choice, links, force=force, dry_run=dry_run, relink=relink or link is not None,
                        whole=whole, beside=beside.get(choice.path, b""), jobs=jobs, progress=progress,
                    )  # fmt: skip
        except DataverError as error:
            failed.append(error.failure(choice.path))
            continue
        failed += outcome.failed
        warnings += erased_warnings(repo, choice)
        warnings += [erased_warning(path, name) for path, name in outcome.denied.items()]
        planned += [c._replace(path=choice.shown(c.path)) for c in outcome.planned]
        done.append(_target(choice, outcome, is_moved=choice.path in moved))
    explained, noticed = strictly(_with_hints(repo, chosen.choices, failed), warnings, strict=strict)
    return CheckoutResult(
        tuple(done),
        rev or "",
        dry_run,
        tuple(planned) if dry_run else (),
        failed=explained,
        warnings=noticed,
    )


def _with_hints(repo: Repo, choices: Sequence[Choice], failed: Sequence[Failure]) -> list[Failure]:
    """Say where what is missing can be had: from a remote, or from who added it."""
    if repo.config.remote_names or not any(f.code == "missing-object" for f in failed):
        return list(failed)
    hints: dict[bytes, str] = {}
    shown = []
    for failure in failed:
        choice = next((c for c in choices if is_below(failure.path, c.path)), None)
        if failure.code == "missing-object" and choice is not None and choice.target is not None:
            if choice.path not in hints:
                blob = choice.target.index_blob or choice.target.head_blob
                hints[choice.path] = origin_hint(repo.git, choice.target.pointer_path, blob)
            failure = failure._replace(hint=hints[choice.path] or failure.hint)
        shown.append(failure)
    return shown


def _links(repo: Repo, link: str | None) -> tuple[LinkType, ...]:
    if link is not None and link not in LINK_TYPES:
        raise UsageError(f"unknown link type {link!r}; known: {', '.join(LINK_TYPES)}")
    names = (link,) if link else repo.config.links
    return tuple(name for name in LINK_TYPES if name in names) if len(names) < 2 else tuple(names)  # type: ignore[arg-type]


def _bring(
    repo: Repo,
    choice: Choice,
    links: Sequence[LinkType],
    *,
    force: bool,
    dry_run: bool,
    relink: bool,
    whole: bool,
    beside: bytes,
    jobs: int | None,
    progress: Progress,
) -> Outcome:
    workspace = repo.workspace
    workers = jobs or repo.config.jobs

    def looked() -> Look:
        look = workspace.look(choice.path, tracked=Tracked(lambda: repo.trees, choice.pointer.root_id))
        workspace.hash_fresh(look, ALGORITHM_CODES[repo.config.hash_name], jobs=workers, progress=progress)
        return look

    def work_on(look: Look, desired: Desired) -> Checkout:
        trash = f"{repo.common_folder}/trash"
        return Checkout(
            workspace, repo.trees, look, desired, links=links, denies=repo.withholder(), erased=repo.denier(),
            trash=trash, force=force, jobs=workers, progress=progress,
        )  # fmt: skip

    look = looked()
    if not dry_run:
        sweep_inside(workspace, look)
    root_id = choice.pointer.root_id
    as_it_is = Record(root_id, (), frozenset(), beside if beside != root_id else b"")
    if look.record == as_it_is and look.is_clean(root_id) and not (relink or repo.trees.erased):
        return Outcome(kept=repo.trees.root(root_id).count)
    is_folder = choice.pointer.is_folder
    if look.snapshot is not None and look.snapshot.is_single == is_folder:
        # A file where the version has a folder, or the other way round.
        old = work_on(look, Desired(EMPTY_ROOT_ID, not is_folder, ()))
        clearing = old.plan_clearing()
        if not dry_run:
            old.clear(clearing)
            look = looked()
        else:
            look = replace(look, snapshot=None, record=None)
    desired = _desired(choice.pointer, look.record, choice.patterns, whole=whole)
    work = work_on(look, replace(desired, beside=beside))
    plan = work.plan(relink=relink)
    if dry_run:
        writes = list(plan.writes)
        planned = plan.changes or tuple(Change("added", e.path, None, e) for e in writes)
        size = sum(e.size for e in writes)
        return Outcome(written=len(writes), deleted=len(plan.deletes), size=size, planned=planned)
    work.check_room(plan, size_range(choice.pointer.size_text)[0])
    return work.apply(plan)


def _follow_moves(repo: Repo, progress: Progress) -> dict[bytes, bytes]:
    with gitfiles_lock(repo, progress=progress):
        return follow_moves(repo.workspace, repo.git, repo.targets())


def _as_it_is_now(repo: Repo, choice: Choice) -> Choice:
    """Return *choice* with its pointer as it is, now that it is held: another process may have added."""
    target = as_it_is_now(repo, choice.path, choice.target)
    if target is None or target.pointer is None:
        raise NoSuchPathError(choice.path, what=f"{show_path(choice.path)} was untracked by another process")
    return choice if target is choice.target else replace(choice, pointer=target.pointer, target=target)


def _desired(pointer: Pointer, record: Record | None, patterns: tuple[bytes, ...], *, whole: bool) -> Desired:
    """Return what to bring a target to: named paths narrow only what was never checked out whole."""
    if whole:
        return Desired(pointer.root_id, pointer.is_folder, ())
    if record is None:
        return Desired(pointer.root_id, pointer.is_folder, patterns, patterns)
    kept = tuple(sorted({*record.patterns, *patterns})) if record.patterns else ()
    return Desired(pointer.root_id, pointer.is_folder, kept, patterns)


def _target(choice: Choice, outcome: Outcome, *, is_moved: bool) -> CheckedOutTarget:
    return CheckedOutTarget(
        choice.path,
        outcome.written,
        outcome.deleted,
        outcome.kept,
        outcome.size,
        outcome.absent,
        is_moved,
        choice.pointer.is_folder,
    )
