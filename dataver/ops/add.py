"""`add`: record files and folders as they are now."""

from __future__ import annotations

from collections.abc import Sequence

from dataver.disk.atomic import replace
from dataver.errors import DataverError, DeniedContentError, Failure, UsageError, exit_status_of
from dataver.formats.pointer import Pointer, encode_pointer, pointer_of, size_text
from dataver.hashing import ALGORITHM_CODES
from dataver.model.results import AddedTarget, AddResult
from dataver.ops.holding import as_it_is_now, gitfiles_lock, held
from dataver.ops.obeying import note_checked, obey_here
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.workspace import gitfiles
from dataver.workspace.adding import record_target
from dataver.workspace.intake import Intake, files_in_git, plan_intake
from dataver.workspace.leftovers import sweep_beside
from dataver.workspace.paths import PathLike, relative_to_top
from dataver.workspace.recording import Addition


def add(
    repo: Repo,
    targets: Sequence[PathLike],
    *,
    algorithm: str | None = None,
    link: str | None = None,
    dry_run: bool = False,
    stage: bool = True,
    untrack: bool = False,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> AddResult:
    """Hash *targets* into the cache and write their pointers; a path inside a target changes only it.

    *algorithm* is for new content; *link* replaces the files by that link type afterwards.  Files
    that cannot be taken are in `failed`, and what was recorded of them before stays recorded.  So is
    content that was erased, wherever it comes from.

    Raises: UsageError, UnsupportedTargetError, TrackedByGitError (unless *untrack*), NoSuchPathError.
    """
    if not targets:
        raise UsageError("nothing to add", hint="dataver add <path>")
    code = _algorithm(repo, algorithm)
    # The user's files are left alone: that they hold what was erased is said below.
    obeyed = obey_here(repo, progress=progress, keeps_files=True)
    paths = [relative_to_top(t, repo.cwd, repo.top) for t in targets]
    plan, failed = plan_intake(paths, repo.targets(), repo.git, untrack=untrack)
    failed += obeyed.failed
    done: list[AddedTarget] = []
    warnings: list[Failure] = []
    packs: list[str] = []
    if not dry_run:
        sweep_beside(repo.workspace, repo.git, (i.target for i in plan))
    for intake in plan:
        try:
            # Held until the pointer is written: gc takes away what no pointer names.
            with held(repo, intake.target, progress=progress):
                intake = intake._replace(known=as_it_is_now(repo, intake.target, intake.known))
                addition = record_target(
                    repo.workspace,
                    lambda: repo.trees,
                    intake,
                    git=repo.git,
                    algorithm=code,
                    tree_key=repo.secret.tree_key if repo.secret else None,
                    denier=repo.entry_denier(),
                    dry_run=dry_run,
                    jobs=jobs or repo.config.jobs,
                    progress=progress,
                )
                failed += addition.failed
                warnings += addition.warnings
                packs += addition.packs
                if not dry_run:
                    _publish(repo, intake, addition, stage=stage, untrack=untrack, progress=progress)
            done.append(_result(intake, addition, is_staged=stage and not dry_run))
        except DataverError as error:
            if len(paths) == 1:
                raise
            failed.append(error.failure(intake.target))
    if any(failure.code == DeniedContentError.code for failure in failed):
        # What was read of refused files must not stay in the cache.
        failed += obey_here(repo, progress=progress, keeps_files=True).failed
    elif packs:
        note_checked(repo, packs)  # every content was compared with the records on its way
    result = AddResult(tuple(done), dry_run, failed=tuple(failed), warnings=tuple(warnings))
    if link and not dry_run and not exit_status_of(result.failed):
        from dataver.ops.checkout import checkout  # a verb after a verb, only where asked for

        checkout(repo, None, [repo.workspace.absolute(t.path) for t in done], relink=True, link=link)
    return result


def _algorithm(repo: Repo, name: str | None) -> int:
    chosen = name or repo.config.hash_name
    if chosen not in ("blake3", "xxh128"):
        raise UsageError(f"unknown hash {chosen!r}; known: blake3, xxh128")
    if chosen == "xxh128" and repo.config.is_weak_hash_forbidden:
        raise UsageError("policy.weak_hash forbids xxh128", hint="dataver config list --show-origin")
    return ALGORITHM_CODES[chosen]


def _publish(
    repo: Repo, intake: Intake, addition: Addition, *, stage: bool, untrack: bool, progress: Progress
) -> None:
    """Write the pointer, which names only what is durable; then what Git needs to know of it."""
    path = pointer_of(intake.target)
    known = intake.known
    note = known.pointer.note if known and known.pointer else {}
    if not addition.is_unchanged or known is None or known.pointer is None or known.is_conflict:
        pointer = Pointer(
            addition.root_id, not addition.is_single, addition.files, size_text(addition.size), note
        )
        replace(repo.disk, repo.workspace.absolute(path), encode_pointer(pointer))
    addition.remember()
    ignore_file = gitfiles.ignore_file_of(intake.target)
    with gitfiles_lock(repo, progress=progress):
        gitfiles.add_line(repo.top, ignore_file, gitfiles.ignore_line(intake.target), repo.disk)
        if untrack:
            found = files_in_git(repo.git, intake.target)
            if found:
                repo.git.rm_cached(found)
        if stage:
            repo.git.stage([path, ignore_file], force=True)


def _result(intake: Intake, addition: Addition, *, is_staged: bool) -> AddedTarget:
    counts = addition.counts
    return AddedTarget(
        path=intake.target,
        pointer=pointer_of(intake.target),
        is_folder=not addition.is_single,
        files=addition.files,
        size=addition.size,
        added=counts["added"],
        modified=counts["modified"] + counts["type"],
        deleted=counts["deleted"],
        renamed=counts["renamed"],
        bytes_added=addition.size_change,
        root_id=addition.root_id,
        is_new=intake.known is None,
        is_unchanged=addition.is_unchanged,
        is_staged=is_staged,
    )
