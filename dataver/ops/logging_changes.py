"""How single commits changed what `log` follows: pointers under their names, paths inside their trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dataver.errors import (
    CorruptObjectError,
    DataverError,
    Failure,
    FormatError,
    MissingObjectError,
    show_path,
)
from dataver.formats.pointer import Pointer, target_of
from dataver.git import PointerChange, PointerCommit
from dataver.model.diff import (
    ADDED,
    DELETED,
    MODIFIED,
    RENAMED,
    RETYPED,
    Change,
    change_of,
    compare,
    with_renames,
)
from dataver.model.guarding import LoggedTarget
from dataver.model.names import is_below
from dataver.model.tree import after_folder
from dataver.ops.history_reading import Following, Reader
from dataver.store.trees import EMPTY_ROOT_ID
from dataver.transfer.wanted import bytes_of_size_text
from dataver.workspace.sparse import Sparse, is_glob

MOST_LISTED = 1000


def describe(
    reader: Reader, commit: PointerCommit, following: Following, *, follow: bool
) -> list[LoggedTarget]:
    """Return how *commit* changed what is followed; empty where it did not.

    Moves *following* on to the name that a path inside had before.
    """
    sha = commit.info.sha
    moved_here = {old for (at, _), old in following.moves.items() if at == sha}
    found = []
    for path in sorted(following.names):
        rows = [changes[path] for changes in commit.changes if path in changes]
        if len(rows) < max(commit.parents, 1) or path in moved_here:
            continue  # as it was in one of the parents, or told of as the move of another name
        told = _Telling(reader, commit, following, path, rows).tell(follow=follow)
        if told is not None:
            following.was_seen = True
            found.append(told)
    return found


class _Telling:
    """One commit's change of one pointer."""

    def __init__(
        self,
        reader: Reader,
        commit: PointerCommit,
        following: Following,
        path: bytes,
        rows: Sequence[PointerChange],
    ) -> None:
        self._reader, self._commit, self._following = reader, commit, following
        self._rows, self._pointer_path = rows, path
        self._moved_from = following.moves.get((commit.info.sha, path), b"")
        self._target = target_of(path)
        self._inner = following.inner

    def tell(self, *, follow: bool) -> LoggedTarget | None:
        shown = self._target + b"/" + self._inner if self._inner else self._target
        said = LoggedTarget(shown, self._pointer_path, "changed")
        try:
            pointers = [self._pointers(row) for row in self._rows]
        except DataverError as error:
            message = f"{show_path(self._pointer_path)} in {self._commit.info.sha[:8]}: {error.message}"
            self._reader.warnings.append(Failure(self._target, "unreadable", message, "", 0))
            return replace(said, state="unreadable", note="its pointer cannot be read")
        old, new = pointers[0]
        like = new or old
        if like is None:
            return None
        said = replace(
            said,
            is_folder=like.is_folder and not self._inner,
            old_files=old.files if old else 0,
            files=new.files if new else 0,
        )
        if self._commit.info.sha in self._reader.cut and old is None:
            return replace(said, state="cut", note="the history is cut here")
        if self._inner:
            return self._inside(said, pointers, follow=follow)
        return self._whole(said, old, new)

    def _pointers(self, row: PointerChange) -> tuple[Pointer | None, Pointer | None]:
        blob = row.old_blob
        if self._moved_from:
            blob = self._commit.changes[0][self._moved_from].old_blob
        return self._reader.pointer(blob), self._reader.pointer(row.new_blob)

    # -- the whole target

    def _whole(self, said: LoggedTarget, old: Pointer | None, new: Pointer | None) -> LoggedTarget:
        if old is None and new is not None:
            size = bytes_of_size_text(new.size_text)
            return replace(said, state="added", added=new.files, size_change=size)
        if new is None and old is not None:
            size = bytes_of_size_text(old.size_text)
            return replace(said, state="deleted", deleted=old.files, size_change=-size)
        assert old is not None
        assert new is not None
        state = "moved" if self._moved_from else "changed"
        said = replace(said, state=state, moved_from=target_of(self._moved_from) if self._moved_from else b"")
        if old.is_folder != new.is_folder:
            return replace(said, note=f"became a {'folder' if new.is_folder else 'file'}")
        if old.root_id == new.root_id:
            what = "its note" if old.note != new.note else "the same data, written anew"
            return said if self._moved_from else replace(said, note=what)
        try:
            changes = with_renames(self._reader.trees.diff(old.root_id, new.root_id))
        except (MissingObjectError, CorruptObjectError, FormatError) as error:
            return self._unknown(said, error)
        return self._counted(said, changes, is_folder=new.is_folder)

    def _unknown(self, said: LoggedTarget, error: DataverError) -> LoggedTarget:
        self._reader.note_lack(self._target, error)
        return replace(said, state="unknown", note="a tree of it is not in the cache")

    def _counted(self, said: LoggedTarget, changes: Sequence[Change], *, is_folder: bool) -> LoggedTarget:
        kinds = [change.kind for change in changes]

        def shown(path: bytes) -> bytes:
            return self._target + b"/" + path if is_folder else self._target

        return replace(
            said,
            added=kinds.count(ADDED),
            modified=kinds.count(MODIFIED) + kinds.count(RETYPED),
            deleted=kinds.count(DELETED),
            renamed=kinds.count(RENAMED),
            size_change=sum(change.size_change for change in changes),
            changes=tuple(
                change._replace(
                    path=shown(change.path),
                    old=change.old and change.old._replace(path=shown(change.old.path)),
                    new=change.new and change.new._replace(path=shown(change.new.path)),
                )
                for change in changes[:MOST_LISTED]
            ),
        )

    # -- a path inside

    def _inside(
        self,
        said: LoggedTarget,
        pointers: Sequence[tuple[Pointer | None, Pointer | None]],
        *,
        follow: bool,
    ) -> LoggedTarget | None:
        try:
            per_parent = [self._within(_root(old), _root(new)) for old, new in pointers]
        except (MissingObjectError, CorruptObjectError, FormatError) as error:
            self._following.was_seen = True
            return self._unknown(said, error)
        if not all(per_parent):
            return None  # as it was in one of the parents
        changes = per_parent[0]
        states = {ADDED: "added", DELETED: "deleted", RENAMED: "moved"}
        kinds = {change.kind for change in changes}
        only = changes[0]
        if only.path == self._inner or (only.old is not None and only.old.path == self._inner):
            said = replace(said, state=states.get(only.kind, "changed"), is_folder=False)
        else:
            state = "changed"
            if kinds == {ADDED} and not self._has(pointers[0][0]):
                state = "added"
            elif kinds == {DELETED} and not self._has(pointers[0][1]):
                state = "deleted"
            said = replace(said, state=state, is_folder=not is_glob(self._inner))
        before = self._name_before(changes, pointers[0][0]) if follow else b""
        if before:
            self._following.inner = before
            said = replace(said, state="moved", moved_from=self._target + b"/" + before)
        return self._counted(said, changes, is_folder=True)

    def _has(self, pointer: Pointer | None) -> bool:
        return pointer is not None and self._reader.trees.holds(pointer.root_id, self._inner)

    def _within(self, old: bytes, new: bytes) -> list[Change]:
        """Return what changed at or below the path that is followed, opening little else."""
        trees, inner = self._reader.trees, self._inner
        if old == new:
            return []
        if not is_glob(inner):
            before, after = trees.find(old, inner), trees.find(new, inner)
            if before is not None and after is not None:
                change = change_of(before, after)
                return [] if change is None else [change]
            if EMPTY_ROOT_ID in (old, new):
                low, high = inner + b"/", after_folder(inner)
                found = compare(
                    *(
                        [e for e in (one,) if e] or trees.entries(root, low, high)
                        for one, root in ((before, old), (after, new))
                    )
                )
                return list(found)
        return [c for c in with_renames(trees.diff(old, new)) if self._concerns(c)]

    def _concerns(self, change: Change) -> bool:
        wanted = Sparse([self._inner])
        return any(e is not None and wanted.matches(e.path) for e in (change.old, change.new))

    def _name_before(self, changes: Sequence[Change], old: Pointer | None) -> bytes:
        """Return the path that all of it was renamed from; empty for none."""
        inner = self._inner
        if old is None or is_glob(inner) or self._has(old):
            return b""
        found = set()
        for change in changes:
            if change.kind != RENAMED or change.old is None or not is_below(change.path, inner):
                return b""
            rest = change.path[len(inner) :]
            if not change.old.path.endswith(rest):
                return b""
            found.add(change.old.path[: len(change.old.path) - len(rest)])
        return found.pop() if len(found) == 1 else b""


def _root(pointer: Pointer | None) -> bytes:
    return EMPTY_ROOT_ID if pointer is None else pointer.root_id
