"""What a verb is about: targets and the versions of them that a person named.

Shared by the verbs that take `[REV] [PATH...]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from dataver.errors import DataverError, Failure, FormatError, NoSuchPathError, show_path
from dataver.formats.pointer import Pointer, target_of
from dataver.git import Git
from dataver.model.tree import after_folder
from dataver.ops.noticing import erased_notice
from dataver.repo import Repo
from dataver.workspace.paths import PathLike, relative_to_top, select
from dataver.workspace.pointers import Target, pointers_at
from dataver.workspace.snapshot import Snapshot
from dataver.workspace.sparse import Sparse, is_glob

_LOOKED_AT = 20_000
"""Entries among which a mistyped path is looked for."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One target with the version that counts."""

    path: bytes
    pointer: Pointer
    patterns: tuple[bytes, ...]
    """Paths inside the target; empty for all of it."""
    target: Target | None = None

    def shown(self, path: bytes) -> bytes:
        """Return a path inside the target as seen from the top."""
        return self.path + b"/" + path if self.pointer.is_folder else self.path


@dataclass(frozen=True, slots=True)
class Chosen:
    choices: list[Choice]
    failed: list[Failure] = field(default_factory=list)


def choose(repo: Repo, rev: str | None, paths: Sequence[PathLike]) -> Chosen:
    """Return the targets that *paths* name, with their pointers now or in *rev*; bad ones apart.

    Raises: NoSuchPathError, UnknownRevisionError.
    """
    if rev is None:
        targets = repo.targets()
        bad: dict[bytes, DataverError] = {}
        # One that only HEAD still has was taken away and staged so: it is no part of the present.
        targets = [t for t in targets if t.disk_blob or t.index_blob or t.is_conflict]
        pointers = {t.path: t.pointer for t in targets if t.pointer is not None and not t.is_conflict}
    else:
        found, errors = pointers_at(repo.git, rev)
        pointers = {target_of(p): pointer for p, pointer in found.items()}
        bad = {target_of(p): error for p, error in errors.items()}
        targets = [
            Target(path, path + b".dv", "", "", "", pointers.get(path), bad.get(path))
            for path in sorted({*pointers, *bad})
        ]
    choices, failed = [], []
    for selection in select(targets, paths, repo.cwd, repo.top):
        target = selection.target
        pointer = pointers.get(target.path)
        if pointer is None:
            error = target.error or FormatError(show_path(target.pointer_path), "cannot be read")
            if rev is None and not target.disk_blob and target.error is None:
                error = NoSuchPathError(
                    target.pointer_path, what=f"{show_path(target.pointer_path)} was deleted"
                )
                error.hint = f"git checkout HEAD -- {show_path(target.pointer_path)}"
            failed.append(error.failure(target.path))
            continue
        choices.append(Choice(target.path, pointer, selection.patterns, target))
    return Chosen(choices, failed)


def check_inside(repo: Repo, choice: Choice) -> None:
    """Check that each path or pattern inside a target is in its tree.  Raises: NoSuchPathError."""
    for pattern in choice.patterns:
        if not is_in_tree(repo, choice.pointer, pattern):
            raise NoSuchPathError(choice.shown(pattern), _near(repo, choice, pattern))


def _near(repo: Repo, choice: Choice, path: bytes) -> list[str]:
    """Return entries beside *path* that look like it."""
    import difflib  # only on the way to an error

    folder = path.rpartition(b"/")[0]
    low, high = (folder + b"/", after_folder(folder)) if folder else (b"", None)
    cut = len(low)
    found = islice(repo.trees.entries(choice.pointer.root_id, low, high), _LOOKED_AT)
    names = dict.fromkeys(low + e.path[cut:].split(b"/")[0] for e in found)
    shown = [show_path(choice.shown(name)) for name in names]
    return difflib.get_close_matches(show_path(choice.shown(path)), shown, n=3)


def is_in_tree(repo: Repo, pointer: Pointer, pattern: bytes) -> bool:
    """Tell whether a path or pattern inside a target means anything of its tree."""
    if repo.trees.holds(pointer.root_id, pattern):
        return True
    sparse = Sparse([pattern])
    return is_glob(pattern) and any(sparse.matches(e.path) for e in repo.trees.entries(pointer.root_id))


def is_on_disk(snapshot: Snapshot, pattern: bytes) -> bool:
    """Tell whether a path or pattern inside a target means anything that a scan found."""
    if pattern in snapshot.folders or snapshot.find(pattern) is not None:
        return True
    sparse = Sparse([pattern])
    return is_glob(pattern) and any(sparse.matches(path) for path, _, _ in snapshot.ordered())


def erased_warnings(repo: Repo, choice: Choice) -> list[Failure]:
    """Return the notice that entries of a version were erased, where some were."""
    try:
        return erased_notice(repo, choice.path, choice.pointer.root_id)
    except DataverError:
        return []


def origin_hint(git: Git, pointer_path: bytes, blob: str) -> str:
    """Return who added a version and in which commit: there its data may still be.  Empty for nobody."""
    try:
        commit = git.introduced(pointer_path, blob) if blob else None
    except DataverError:
        return ""
    if commit is None:
        return ""
    return f"dataver push, where it was added: {commit.author} in {commit.sha[:8]} ({commit.subject})"


def relative(repo: Repo, path: PathLike) -> bytes:
    """Return *path* relative to the top of the work tree."""
    return relative_to_top(path, repo.cwd, repo.top)
