"""`checkout`: bring the workspace to the pointers, or to those of a revision."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dataver.disk.link import LINK_TYPES, LinkType
from dataver.errors import DataverError, Failure, UsageError
from dataver.formats.pointer import Pointer
from dataver.hashing import ALGORITHM_CODES
from dataver.model.diff import Change
from dataver.model.results import CheckedOutTarget, CheckoutResult
from dataver.ops.choosing import Choice, choose, erased_warnings
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.workspace.checkout import Checkout, Desired, Outcome
from dataver.workspace.export import export
from dataver.workspace.moves import follow_moves
from dataver.workspace.paths import PathLike
from dataver.workspace.record import Record, record_name


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
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> CheckoutResult:
    """Write what differs from the pointers (of *rev*, where given) from the cache; never the network.

    *paths* narrow it, and make a first checkout sparse; *whole* widens a sparse one again.  *to* is
    a folder that gets a copy of the version beside the present one.  Files with changes that are
    not in the cache keep their target as it is, unless *force*: then they go to the trash.

    Raises: UnknownRevisionError, NoSuchPathError, UsageError.
    """
    links = _links(repo, link)
    moved = {} if rev or dry_run or to is not None else follow_moves(repo.workspace, repo.git, repo.targets())
    chosen = choose(repo, rev, paths)
    done: list[CheckedOutTarget] = []
    failed: list[Failure] = list(chosen.failed)
    warnings: list[Failure] = []
    planned: list[Change] = []
    for choice in chosen.choices:
        try:
            if to is not None:
                outcome = export(
                    repo.cache, repo.disk, repo.trees, choice.path, choice.pointer, choice.patterns,
                    Path(os.fsdecode(to)) if os.path.isabs(to) else Path(repo.cwd, os.fsdecode(to)), links,
                )  # fmt: skip
            else:
                with repo.lock(f"add-{record_name(choice.path)}", progress=progress):
                    outcome = _bring(
                        repo, choice, links, force=force, dry_run=dry_run, relink=relink or link is not None,
                        whole=whole, jobs=jobs, progress=progress,
                    )  # fmt: skip
        except DataverError as error:
            failed.append(error.failure(choice.path))
            continue
        failed += outcome.failed
        warnings += erased_warnings(repo, choice)
        planned += [c._replace(path=choice.shown(c.path)) for c in outcome.planned]
        done.append(_target(choice, outcome, is_moved=choice.path in moved))
    return CheckoutResult(
        tuple(done), rev or "", dry_run, tuple(planned), failed=tuple(failed), warnings=tuple(warnings)
    )


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
    jobs: int | None,
    progress: Progress,
) -> Outcome:
    workspace = repo.workspace
    workers = jobs or repo.config.jobs
    look = workspace.look(choice.path)
    workspace.hash_fresh(look, ALGORITHM_CODES[repo.config.hash_name], jobs=workers, progress=progress)
    desired = _desired(choice.pointer, look.record, choice.patterns, whole=whole)
    work = Checkout(
        workspace,
        repo.trees,
        look,
        desired,
        links=links,
        trash=f"{repo.common_folder}/trash",
        force=force,
        jobs=workers,
        progress=progress,
    )
    plan = work.plan(relink=relink)
    if dry_run:
        writes = list(plan.writes)
        planned = plan.changes or tuple(Change("added", e.path, None, e) for e in writes)
        size = sum(e.size for e in writes)
        return Outcome(written=len(writes), deleted=len(plan.deletes), size=size, planned=planned)
    return work.apply(plan)


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
