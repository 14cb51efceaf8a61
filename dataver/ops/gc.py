"""`gc` for the cache: what nothing needs is set aside, and deleted when the grace period is over.

The only verb that removes sound objects from a cache, but for what was erased.  It holds the
cache's lock exclusively from before it asks who needs what until it is done.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from dataver.errors import DiskFullError, Failure, NoSuchPathError
from dataver.model.guarding import GcResult
from dataver.ops.gc_names import largest_of
from dataver.ops.neighbours import erased_beside
from dataver.ops.obeying import NOTHING, obey_here
from dataver.ops.proof import Held, bring_trees, freed_marks, show_held
from dataver.ops.reachable import Reachable, reachable
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.store import leftovers
from dataver.store.cache_marks import Marked, mark
from dataver.store.leftovers import Leftover
from dataver.store.sweep import apply_sweep
from dataver.store.sweep_plan import Plan, Rule, plan_sweep
from dataver.store.trash import SetAside, Trash
from dataver.workspace.linked import linked_blobs
from dataver.workspace.paths import PathLike
from dataver.workspace.users import forget_user, list_users

YOUNG_S = 3600
"""Seconds that what was just written stays, unless the grace period is shorter."""


def gc(
    repo: Repo,
    *,
    grace_s: int | None = None,
    dry_run: bool = False,
    pushed: bool = False,
    frees_present: bool = False,
    fetch_trees: bool = False,
    ignore_missing: bool = False,
    remote: str | None = None,
    progress: Progress = SILENT,
) -> GcResult:
    """Set aside what no repository that uses the cache needs, and delete what was set aside long ago.

    *grace_s* is how long, instead of the setting `purge.grace`; 0 deletes at once.  Where trees
    that are needed are not in the cache it is not known what they name, and every content stays:
    *fetch_trees* brings them from *remote* first, *ignore_missing* takes them for lost.  With
    *pushed* the local copies of contents go that *remote* was just shown to hold, but for those of
    the present versions; with *frees_present* these too.

    Raises: UnprovenError where a repository cannot be asked; LockTimeoutError, RemoteError.
    """
    period = repo.config.grace_s if grace_s is None else grace_s
    obeyed = NOTHING if dry_run else obey_here(repo, progress=progress)
    if fetch_trees:
        with repo.cache_lock(shared=True, progress=progress):
            bring_trees(repo, reachable(repo, progress=progress), remote, progress=progress)
    # The remote is asked before anybody has to wait for us.
    held = show_held(repo, remote, progress=progress) if pushed else None
    with repo.cache_lock(shared=False, progress=progress):
        collection = _Collection(repo, period, dry_run=dry_run, progress=progress)
        try:
            done = collection.run(held, frees_present=frees_present, ignore_missing=ignore_missing)
        except DiskFullError as error:
            if period:
                error.hint = "dataver gc --now"
            raise
    return replace(done, failed=(*obeyed.failed, *done.failed), warnings=(*obeyed.warnings, *done.warnings))


def gc_undo(repo: Repo, *, dry_run: bool = False, progress: Progress = SILENT) -> GcResult:
    """Bring back everything that is set aside.  Raises: LockTimeoutError, local errors."""
    with repo.cache_lock(shared=False, progress=progress):
        trash = Trash(repo.cache, repo.clock)
        files = trash.files()
        if not dry_run:
            trash.restore(files)
            trash.tidy()
        waiting = files if dry_run else trash.files()
        return GcResult(
            where="cache",
            dry_run=dry_run,
            restored=len(files),
            restored_size=_size(files),
            waiting=len(waiting),
            waiting_size=_size(waiting),
        )


def gc_forget(repo: Repo, path: PathLike, *, dry_run: bool = False) -> GcResult:
    """Remove the registration of the repository at *path*, which need not be there any more.

    What only that repository needs is then no longer kept.  Raises: NoSuchPathError where none is
    registered under *path*.
    """
    place = os.path.normpath(os.path.join(repo.cwd, os.fsdecode(path)))
    users = list_users(repo.cache_folder)
    found = [user for user in users if place in (user.root, user.git, user.shown)]
    if not found:
        known = sorted(user.shown for user in users)
        raise NoSuchPathError(place, known, what=f"no repository is registered at {place}")
    # Where another one took its place, the one that is gone is meant.
    found = [user for user in found if not user.is_here] or found
    for user in found if not dry_run else ():
        forget_user(user, repo.disk)
    return GcResult(where="cache", dry_run=dry_run, forgotten=tuple(user.shown for user in found))


def _size(files: list[SetAside]) -> int:
    return sum(file.size for file in files)


@dataclass(slots=True)
class _Old:
    """What age alone decides about."""

    expired: list[SetAside]
    lying: list[Leftover]

    @property
    def count(self) -> int:
        return len(self.expired) + len(self.lying)

    @property
    def size(self) -> int:
        return _size(self.expired) + sum(one.size for one in self.lying)


class _Collection:
    """One run under the cache's lock."""

    def __init__(self, repo: Repo, period_s: int, *, dry_run: bool, progress: Progress) -> None:
        self._repo, self._period_s, self._dry_run, self._progress = repo, period_s, dry_run, progress
        self._now_s = repo.clock.now_s()
        self._trash = Trash(repo.cache, repo.clock)
        self._warnings: list[Failure] = []
        self._restored: list[SetAside] = []

    def run(self, held: Held | None, *, frees_present: bool, ignore_missing: bool) -> GcResult:
        repo = self._repo
        needs = reachable(repo, progress=self._progress)
        marked = self._marked(needs)
        rule = Rule(
            live=marked.names,
            keeps_contents=bool(marked.lost) and not ignore_missing,
            now_s=self._now_s,
            young_s=min(YOUNG_S, self._period_s),
            is_final=self._period_s == 0,
            freed=None
            if held is None
            else freed_marks(repo, needs, held, frees_present=frees_present, progress=self._progress),
        )
        if marked.lost:
            self._warn_of(len(marked.lost), stays=rule.keeps_contents)
        old = self._old()
        plan = self._planned(rule, needs)
        if self._dry_run:
            return self._result(needs, plan, old, largest=True)
        self._trash.delete(old.expired)
        leftovers.remove(old.lying, repo.disk)
        swept = apply_sweep(repo.cache, plan, self._trash, is_final=rule.is_final)
        self._trash.tidy()
        self._warnings += swept.warnings
        done = replace(plan, dead=swept.dead, freed=swept.freed)
        return replace(self._result(needs, done, old, largest=False), failed=tuple(swept.failed))

    def _marked(self, needs: Reachable) -> Marked:
        """Return what is needed, after bringing back what is set aside and needed again."""
        repo = self._repo
        erased = erased_beside(repo)
        marked = mark(repo.cache, needs.roots, erased=erased, progress=self._progress)
        while back := self._trash.structure_with(marked.lost):
            # What is needed again was set aside with its tree: without that nobody knows its names.
            self._restored += back
            if self._dry_run:
                return marked
            if not self._trash.restore(back):
                break
            marked = mark(repo.cache, needs.roots, erased=erased, progress=self._progress)
        back = self._trash.needed(marked.names)
        self._restored += back
        if not self._dry_run:
            self._trash.restore(back)
        return marked

    def _warn_of(self, lost: int, *, stays: bool) -> None:
        what = f"{lost} trees, or parts of trees, of versions that are needed are not in the cache"
        if stays:
            text = f"{what}; what they name is not known, so all file contents stay"
            self._warnings.append(Failure(b"", "trees-missing", text, "dataver gc --fetch", 0))
        else:
            text = f"{what}; they were taken for lost"
            self._warnings.append(Failure(b"", "trees-missing", text, "", 0))

    def _old(self) -> _Old:
        repo, now_s = self._repo, self._now_s
        coming_back = {file.path for file in self._restored}
        expired = [
            file
            for file in self._trash.files()
            if file.path not in coming_back
            and (not self._period_s or 0 <= now_s - file.time_s >= self._period_s)
        ]
        quarantine_s = min(self._period_s, repo.config.grace_s)
        lying = [
            *leftovers.old_files(f"{repo.cache_folder}/tmp", now_s, leftovers.TEMP_AGE_S),
            *leftovers.old_files(f"{repo.cache_folder}/quarantine", now_s, quarantine_s),
            *leftovers.old_folders(f"{repo.common_folder}/trash", now_s, leftovers.REPLACED_AGE_S),
        ]
        return _Old(expired, lying)

    def _planned(self, rule: Rule, needs: Reachable) -> Plan:
        plan = plan_sweep(self._repo.cache, rule)
        if plan.dead_loose or plan.freed_loose:
            # A walk over the files of all work trees: only where something would go.
            linked = linked_blobs(self._repo.cache, [top for one in needs.repos for top in one.tops])
            if linked:
                plan = plan_sweep(self._repo.cache, replace(rule, linked=linked))
        return plan

    def _result(self, needs: Reachable, plan: Plan, old: _Old, *, largest: bool) -> GcResult:
        is_final = self._period_s == 0
        waiting = self._trash.files()
        return GcResult(
            where="cache",
            dry_run=self._dry_run,
            kept=plan.kept.objects,
            kept_size=plan.kept.size,
            set_aside=0 if is_final else plan.dead.objects,
            set_aside_size=0 if is_final else plan.dead.size,
            deleted=old.count + (plan.dead.objects if is_final else 0),
            deleted_size=old.size + (plan.dead.size if is_final else 0),
            freed=plan.freed.objects,
            freed_size=plan.freed.size,
            restored=len(self._restored),
            restored_size=_size(self._restored),
            waiting=len(waiting),
            waiting_size=_size(waiting),
            grace_s=self._period_s,
            largest=largest_of(self._repo.cache, plan) if largest else (),
            repos=tuple(one.user.shown for one in needs.repos),
            warnings=tuple(self._warnings),
        )
