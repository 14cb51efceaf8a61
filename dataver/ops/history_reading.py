"""What `log` reads of a history: pointers, each once, the names that they had, and their trees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dataver.errors import DataverError, Failure, IntegrityError, show_path
from dataver.formats.pointer import Pointer, decode_pointer, target_of
from dataver.git import PointerChange, PointerCommit
from dataver.repo import Repo
from dataver.store.trees import Trees
from dataver.workspace.sparse import Sparse, is_glob

_KEPT_LEAVES = 64
"""Opened leaves that are remembered: versions have most of them in common."""


@dataclass(slots=True)
class Following:
    """One thing whose history is told, while commits are walked from the newest."""

    pointer: bytes
    asked: bytes = b""
    """A path or pattern inside the target; empty for all of it."""
    inner: bytes = b""
    """*asked* under the name that it has at the commit that is looked at."""
    names: set[bytes] = field(default_factory=set)
    """Every path that the pointer had."""
    moves: dict[tuple[str, bytes], bytes] = field(default_factory=dict)
    """(commit, path of the pointer after it) -> path before it."""
    was_seen: bool = False

    def __post_init__(self) -> None:
        self.inner, self.names = self.asked, {self.pointer}


class Reader:
    """The pointers and trees of a history, each read once."""

    def __init__(self, repo: Repo, history: Sequence[PointerCommit]) -> None:
        self.repo, self.history = repo, history
        self.trees = Trees(repo.cache, repo.trees.erased, keep=_KEPT_LEAVES)
        self.cut = repo.git.shallow_commits()
        self.warnings: list[Failure] = []
        self._pointers: dict[str, Pointer | DataverError] = {}
        self._lacking: dict[bytes, list[DataverError]] = {}

    # -- pointers

    def pointer(self, blob: str) -> Pointer | None:
        """Return the pointer in one of Git's blobs; None for no blob.  Raises: FormatError and its kin."""
        if not blob:
            return None
        if blob not in self._pointers:
            self.read([blob])
        found = self._pointers[blob]
        if isinstance(found, DataverError):
            raise found
        return found

    def read(self, blobs: Iterable[str]) -> None:
        """Read blobs at once that `pointer` will be asked for."""
        wanted = [blob for blob in dict.fromkeys(blobs) if blob and blob not in self._pointers]
        for blob, data in zip(wanted, self.repo.git.try_read_blobs(wanted) if wanted else (), strict=True):
            try:
                self._pointers[blob] = (
                    data if isinstance(data, DataverError) else decode_pointer(data, f"blob {blob[:12]}")
                )
            except DataverError as error:
                self._pointers[blob] = error

    def follow_moves(self, following: Following) -> None:
        """Find the names that a pointer had before it was moved: the same tree went where it came."""
        found = True
        while found:
            found = False
            for commit in self.history:
                rows = commit.changes[0]
                came = [p for p in rows if p in following.names and not rows[p].old_blob]
                gone = [p for p in rows if rows[p].old_blob and not rows[p].new_blob]
                for path in came:
                    if (commit.info.sha, path) in following.moves:
                        continue
                    old = self._same_tree(rows[path], {p: rows[p] for p in gone if p != path})
                    if old is not None:
                        following.moves[commit.info.sha, path] = old
                        found = found or old not in following.names
                        following.names.add(old)
        self.read(
            blob
            for commit in self.history
            for rows in commit.changes
            for path in following.names & rows.keys()
            for blob in rows[path]
        )

    def _same_tree(self, came: PointerChange, gone: dict[bytes, PointerChange]) -> bytes | None:
        if not gone:
            return None
        self.read([came.new_blob, *(change.old_blob for change in gone.values())])
        for path, change in sorted(gone.items()):
            old, new = self._pointers[change.old_blob], self._pointers[came.new_blob]
            if isinstance(old, Pointer) and isinstance(new, Pointer) and old.root_id == new.root_id:
                return path
        return None

    # -- what could not be told

    def note_lack(self, path: bytes, error: DataverError) -> None:
        self._lacking.setdefault(path, []).append(error)

    def failures(self) -> tuple[Failure, ...]:
        """Return one failure for each target of which trees are not here or damaged."""
        return tuple(
            Failure(
                path,
                errors[0].code,
                f"how {len(errors)} commit{'' if len(errors) == 1 else 's'} changed {show_path(path)} "
                f"is not known: {errors[0].message}",
                "dataver fetch --all",
                errors[0].exit_status,
            )
            for path, errors in self._lacking.items()
        )

    def is_in_latest(self, following: Following) -> bool:
        """Tell whether the version of the work tree has what was asked for; True where that is not known."""
        if following.pointer in self._lacking or target_of(following.pointer) in self._lacking:
            return True
        for target in self.repo.targets():
            if target.pointer_path == following.pointer and target.pointer is not None:
                try:
                    root = target.pointer.root_id
                    return self.trees.holds(root, following.asked) or any(
                        Sparse([following.asked]).matches(e.path)
                        for e in (self.trees.entries(root) if is_glob(following.asked) else ())
                    )
                except IntegrityError:
                    return True
        return False
