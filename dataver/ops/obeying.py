"""Obey the erasure records that are known here: files, cache and memory of this clone lose what they name.

Cheap where nothing is new: then some stats say so.  The order is the promise: first it is noted
which entries leaves are to lose that no record names, then the work trees are cleaned, then the
cache, whose leaves tell what the work trees may hold; what was done is noted last, so that a run
that is killed anywhere is done again.

Longer than 300 lines because looking, asking, doing and saying share what was found.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from dataver.erasure.cache_examine import CacheFindings, examine_cache
from dataver.erasure.cache_note import CacheNote, digest_of, load_note, observed, save_note, unseen
from dataver.erasure.cache_purge import purge_cache
from dataver.erasure.deny import Question, question_before
from dataver.erasure.examine import Examiner
from dataver.erasure.plan import drop_plan, overtaken_plans, published_substitutes
from dataver.errors import (
    DataverError,
    ErasureQuestionError,
    Failure,
    LocksUnsupportedError,
    PermissionDeniedError,
    show_path,
)
from dataver.formats.erasure import decode_signed
from dataver.hashing import ALGORITHM_CODES
from dataver.model.names import Oid
from dataver.ops.acknowledging import Applied
from dataver.ops.holding import target_lock
from dataver.ops.neighbours import leaves_of_neighbours
from dataver.ops.work_trees import absent_work_trees, work_trees
from dataver.progress import SILENT, Progress
from dataver.repo import Repo, has_records
from dataver.store.copies_purge import purge_copies, segment_copies
from dataver.store.trash import Trash
from dataver.transfer.connect import folder_of, known_records, stamp_of_records, tell_here
from dataver.workspace.erasing import Denied, erase_memory, erase_target, remove_temps
from dataver.workspace.erasing_trash import erase_replaced
from dataver.workspace.pointers import list_targets
from dataver.workspace.workspace import Workspace

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Obeyed:
    """What was removed here since erasure records say so."""

    files: tuple[bytes, ...] = ()
    """Of all work trees; those of others than this one as absolute paths."""
    objects: int = 0
    """Contents and recipes of the cache."""
    leaves: int = 0
    """Leaves and roots of the cache that lost entries."""
    erasures: tuple[str, ...] = ()
    """Names of the erasures that were in force, like `E-1f3a9c2e`, where anything was removed."""
    failed: tuple[Failure, ...] = ()
    """What could not be removed: then the clone has not obeyed yet."""
    warnings: tuple[Failure, ...] = ()


NOTHING = Obeyed()


def obey_here(
    repo: Repo,
    *,
    progress: Progress = SILENT,
    force: bool = False,
    keeps_files: bool = False,
    again: bool = False,
) -> Obeyed:
    """Remove from this clone what the erasure records that it knows name; the caller holds no lock.

    With *force* nobody is asked, however much it is.  *keeps_files* is for who must not touch the
    user's files: records that are new are left for a command that may, and only the cache is
    looked after, where something denied came back into it.  With *again* the work trees are looked at
    although nothing is new: somebody may have restored them.  So they are when one is back that was away.

    Raises: ErasureQuestionError, before anything is changed; LockTimeoutError, local errors.
    """
    if not has_records(repo.common_folder):
        return NOTHING
    return _Obeying(repo, progress).run(force=force, keeps_files=keeps_files, again=again)


def is_clean_here(repo: Repo) -> bool:
    """Tell, by a few stats, whether this clone has obeyed all and its cache is as it was then."""
    return has_records(repo.common_folder) and _Obeying(repo, SILENT).is_clean()


def note_checked(repo: Repo, packs: Iterable[str]) -> None:
    """Note that *packs*, just written into the cache, hold nothing that is denied."""
    if not has_records(repo.common_folder):
        return
    note = load_note(repo.cache_folder, repo.repo_id)
    if note is not None and note.state == digest_of(repo.erasures, has_secret=repo.secret is not None):
        save_note(repo.cache, repo.repo_id, note._replace(packs=note.packs.union(packs)))


class _Obeying:
    """One look at what is to be done, and the doing of it."""

    def __init__(self, repo: Repo, progress: Progress) -> None:
        self._repo, self._progress = repo, progress
        self._done = Applied.load(repo.common_folder)
        self._seen = CacheNote("", frozenset(), {})
        """The cache as it was when it was looked at; without a state where there was none."""
        self._files: dict[bytes, str] = {}
        self._failed: list[Failure] = []
        self._plans: dict[str, frozenset[Oid]] = {}
        """Plans that are to be forgotten, with the contents that only they brought."""
        self._targets: set[bytes] = set()
        """All that any work tree has or had."""
        self._objects = self._leaves = 0
        self._copies_folder = f"{folder_of(repo.common_folder)}/copies"
        self._absent = [own for _, own in absent_work_trees(repo)]
        self._has_returned = not set(self._done.absent) <= set(self._absent)

    def run(self, *, force: bool, keeps_files: bool, again: bool) -> Obeyed:
        repo = self._repo
        if not again and self.is_clean() and segment_copies(self._copies_folder) <= set(self._done.copies):
            return NOTHING
        self._examiner = Examiner(repo.erasures, repo.secret)
        self._digest = digest_of(repo.erasures, has_secret=repo.secret is not None)
        is_new = again or self._has_returned or self._digest != self._done.state
        if is_new and keeps_files:
            return NOTHING
        if not self._examiner.is_idle:
            if is_new:
                self._plans = overtaken_plans(repo.common_folder, repo.erasures)
            found = self._examined()
            if not force:
                self._ask(found)
            if is_new or not found.is_empty:
                self._tell(found)
            if is_new:
                self._clean_work_trees(found)
            self._clean_cache(found, is_new=is_new)
            if is_new:
                self._clean_rest()
            known = None if is_new else self._done.copies
            purge_copies(self._copies_folder, self._examiner.is_gone, repo.disk, known)
        if not self._failed:
            self._done.basis, self._done.state = self._basis(), self._digest
            self._done.copies = sorted(segment_copies(self._copies_folder))
            self._done.absent = self._absent
            self._done.save(repo)
        return self._said()

    def is_clean(self) -> bool:
        """Tell whether `run` would find nothing new, the copies of segments apart."""
        state = self._done.state if self._basis() == self._done.basis else ""
        return bool(state) and not self._has_returned and not self._is_cache_unseen(state)

    def _basis(self) -> list[object]:
        repo = self._repo
        stamps = stamp_of_records(repo.common_folder)
        return [stamps, repo.config.signers_pin, repo.secret is not None]

    def _is_cache_unseen(self, state: str) -> bool:
        folder = self._repo.cache_folder
        if not os.path.isdir(folder):
            return False
        return unseen(load_note(folder, self._repo.repo_id), observed(folder, state))

    # -- looking ------------------------------------------------------------------------------

    def _examined(self) -> CacheFindings:
        """Look at what of the cache was not looked at yet; at all of it where something is found."""
        repo = self._repo
        if not os.path.isdir(repo.cache_folder):
            return CacheFindings()
        with repo.cache_lock(shared=True, progress=self._progress):
            # Before the look: what comes meanwhile is looked at next time.
            self._seen = observed(repo.cache_folder, self._digest)
            note = load_note(repo.cache_folder, repo.repo_id)
            if note is not None and note.state == self._digest:
                if not unseen(note, self._seen):
                    return CacheFindings(listed=self._seen.packs)
                found = self._examine(note.packs)
                if found.is_empty:
                    return found
            return self._examine(frozenset())

    def _examine(self, skip: frozenset[str]) -> CacheFindings:
        found = self._looked(skip, frozenset())
        # Asking the neighbours takes a walk through their history: only where it matters.
        foreign = frozenset[bytes]() if found.is_empty else leaves_of_neighbours(self._repo)
        found = self._looked(skip, foreign) if foreign else found
        if not found.is_empty:
            kept = published_substitutes(self._repo.common_folder, self._repo.erasures)
            for leaf, substitutes in kept.items():
                found.known[leaf] = (*found.known.get(leaf, ()), *substitutes)
        return found

    def _looked(self, skip: frozenset[str], foreign: frozenset[bytes]) -> CacheFindings:
        repo = self._repo
        return examine_cache(
            repo.cache,
            self._examiner,
            leaves=self._named_leaves(),
            trash=Trash(repo.cache, repo.clock).files(),
            skip=skip,
            foreign=foreign,
            strays=frozenset[Oid]().union(*self._plans.values()),
            progress=self._progress,
        )

    def _named_leaves(self) -> set[bytes]:
        """Return the ids of the leaves that records, verified when they were folded, name."""
        return {
            leaf
            for known in known_records(self._repo.common_folder)
            for record in known.records
            for leaf in decode_signed(record.body, record.kind, "erasure record").record.redact
        }

    def _ask(self, found: CacheFindings) -> None:
        """Raises: ErasureQuestionError where more would go than may go unasked."""
        percent = self._repo.config.max_auto_percent
        question = question_before(len(found.gone), found.held, percent)
        if question is None and found.lost_contents > 0:
            lost = sum(map(len, found.lost.values()))
            if question_before(found.lost_contents, 0, percent) is not None:
                question = question_before(lost, found.entries, percent)
                question = question and Question(lost, found.entries, percent)
        if question is not None:
            raise ErasureQuestionError(question.text, self._names())

    def _names(self) -> list[str]:
        return [erasure.name for erasure in self._repo.erasures.erasures.values() if not erasure.is_lifted]

    # -- doing --------------------------------------------------------------------------------

    def _tell(self, found: CacheFindings) -> None:
        """Note which entries leaves lose that no record names, before any leaf lacks them."""
        repo = self._repo
        if found.told:
            uids = {erasure.name: uid for uid, erasure in repo.erasures.erasures.items()}
            tell_here(repo.common_folder, {c: uids[name] for c, name in found.told.items()}, repo.disk)
            repo.forget_erasures()

    def _clean_work_trees(self, found: CacheFindings) -> None:
        state, examiner = self._repo.erasures, self._examiner
        denied = Denied(
            examiner.entry,
            {
                leaf: {
                    (entry.path, entry.oid): (examiner.entry(entry.path, entry.oid) if entry.oid else "")
                    or state.name_of(commitment)
                    for entry, commitment in entries
                }
                for leaf, entries in found.lost.items()
            },
        )
        for workspace, git, own_folder in work_trees(self._repo):
            targets = {t.path: t.pointer for t in list_targets(git)}
            for path, pointer in targets.items():
                roots = {pointer.root_id} if pointer is not None else set()
                self._clean_target(workspace, path, roots, denied)
            # Of another branch, whose files Git leaves where they were.
            for path in set(workspace.records.targets()) - targets.keys():
                if os.path.lexists(workspace.absolute(path)):
                    self._clean_target(workspace, path, set(), denied, is_present=False)
            erase_memory(workspace, own_folder, self._repo.trees, targets, denied)
        for workspace, own_folder in absent_work_trees(self._repo):
            erase_memory(workspace, own_folder, self._repo.trees, (), denied)
        erase_replaced(
            self._repo.disk,
            f"{self._repo.common_folder}/trash",
            examiner.entry,
            _Lost(self._targets, {path for some in denied.leaves.values() for path, _ in some}).holds,
        )

    def _clean_target(
        self,
        workspace: Workspace,
        path: bytes,
        roots: set[bytes],
        denied: Denied,
        *,
        is_present: bool = True,
    ) -> None:
        repo, progress = self._repo, self._progress
        self._targets.add(path)
        is_ours = workspace is repo.workspace
        try:
            with target_lock(repo, path, progress=progress), repo.cache_lock(shared=True, progress=progress):
                done = erase_target(
                    workspace,
                    repo.trees,
                    path,
                    roots,
                    denied,
                    algorithm=ALGORITHM_CODES[repo.config.hash_name],
                    jobs=repo.config.jobs,
                    progress=progress,
                )
        except DataverError as error:
            # What stands at the path of another branch may be no folder of data at all.
            self._failed += [error.failure(path)] if is_present or error.exit_status != 6 else []
            return
        above = b"" if is_ours else workspace.top + b"/"
        self._files.update((above + shown, name) for shown, name in done.files.items())
        self._failed += [f._replace(path=above + f.path) for f in done.failed if f.exit_status != 6]

    def _clean_cache(self, found: CacheFindings, *, is_new: bool) -> None:
        repo = self._repo
        folder = repo.cache_folder
        if not self._seen.state:
            return
        lies_about = is_new and any(_holds(f"{folder}/{name}") for name in ("tmp", "quarantine"))
        if found.is_empty and not lies_about:
            self._failed += found.failed
            self._note(self._seen, found)
            return
        try:
            with repo.cache_lock(shared=False, progress=self._progress):
                if observed(folder, self._digest) != self._seen:
                    found = self._examine(frozenset())
                    self._tell(found)
                done = purge_cache(
                    repo.cache, self._examiner, found=found, clock=repo.clock, progress=self._progress
                )
                self._failed += done.failed
                self._objects, self._leaves = done.objects, done.leaves
                self._note(observed(folder, self._digest), found)
        except (PermissionDeniedError, LocksUnsupportedError) as error:
            self._failed.append(error.failure())
        repo.forget_erasures()

    def _note(self, seen: CacheNote, found: CacheFindings) -> None:
        if not (self._failed or found.failed):
            save_note(self._repo.cache, self._repo.repo_id, seen)

    def _clean_rest(self) -> None:
        """Clean what the clone keeps beside cache and work trees."""
        repo, common = self._repo, self._repo.common_folder
        for digest in self._plans:
            drop_plan(common, digest, repo.disk)
        for name in ("tmp", "remotes"):
            remove_temps(repo.disk, repo.clock, f"{common}/{name}")

    # -- saying -------------------------------------------------------------------------------

    def _said(self) -> Obeyed:
        if not (self._files or self._objects or self._leaves):
            return Obeyed(failed=tuple(self._failed))
        names = sorted(set(self._files.values()) - {""}) or self._names()
        warnings = [
            Failure(path, "erased", f"{show_path(path)} was erased ({name}) and removed", "", 0)
            for path, name in sorted(self._files.items())[:_MOST_SHOWN]
        ]
        rest = len(self._files) - len(warnings)
        if rest > 0:
            text = f"{rest} more files were erased ({', '.join(names)}) and removed"
            warnings.append(Failure(b"", "erased", text, "", 0))
        return Obeyed(
            tuple(sorted(self._files)),
            self._objects,
            self._leaves,
            tuple(names),
            tuple(self._failed),
            tuple(warnings),
        )


@dataclass(frozen=True, slots=True)
class _Lost:
    """The paths that some version of some target loses."""

    targets: Collection[bytes]
    inside: Collection[bytes]
    """Paths in trees."""

    def holds(self, path: bytes) -> bool:
        """Tell whether *path*, from the top of a work tree, is one of them."""
        above = (path[: at + 1] for at, byte in enumerate(path) if byte == 0x2F)
        return any(top[:-1] in self.targets and path[len(top) :] in self.inside for top in above)


def _holds(folder: str) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return any(True for _ in entries)
    return False
