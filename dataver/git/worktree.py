"""One work tree's git: its commits, the pointers in its index and revisions, its config."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence

from dataver.errors import DataverError, UnknownRevisionError
from dataver.git import history
from dataver.git.blobs import try_read_blobs
from dataver.git.place import GitPlace, find_place
from dataver.git.program import Program, check_revision
from dataver.git.rows import (
    EVERYTHING,
    CommitInfo,
    PointerCommit,
    PointerRows,
    is_plain,
    parse_index,
    parse_tree,
    split,
    undo_changes,
)

_POINTERS = "*.dv"
_NUL_PATHS = ("--pathspec-from-file=-", "--pathspec-file-nul")
_DIFFERENCES = ("diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev")


class Git:
    """One work tree's git.

    Where git fails at what should work, every method raises `GitCommandError`.
    """

    def __init__(self, top: str, place: GitPlace | None = None) -> None:
        self.top = top
        self._program = Program(top)
        self._place = place

    @property
    def place(self) -> GitPlace:
        """Where this work tree and its repository lie."""
        if self._place is None:
            self._place = find_place(self.top)
        return self._place

    # -- commits

    def head(self) -> str | None:
        """Return the commit that HEAD is at, or None before the first commit."""
        done = self._program.attempt("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if done.status > 1:
            raise self._program.error_of(("rev-parse", "HEAD"), done)
        return done.stdout.strip().decode() or None

    def branch(self) -> str | None:
        """Return the branch that HEAD is on, or None where it is detached."""
        done = self._program.attempt("symbolic-ref", "--quiet", "--short", "HEAD")
        return os.fsdecode(done.stdout.rstrip(b"\n")) or None

    def resolve(self, rev: str) -> str:
        """Return the commit that *rev* names; raises `UnknownRevisionError`."""
        check_revision(rev)
        done = self._program.attempt("rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
        found = done.stdout.strip().decode()
        if done.status or not found:
            raise UnknownRevisionError(rev)
        return found

    def is_shallow(self) -> bool:
        """Return whether this clone lacks the beginning of its history."""
        return os.path.exists(os.path.join(self.place.common_dir, "shallow"))

    def commit_info(self, sha: str) -> CommitInfo:
        """Return a commit's author, date and subject."""
        return history.commit_info(self._program, sha)

    def describe(self, sha: str) -> str:
        """Return what people call a commit: its tag or branch, else the nearest tag and a short id."""
        return history.describe(self._program, sha)

    def introduced(self, path: bytes, blob: str) -> CommitInfo | None:
        """Return the oldest commit that put *blob* at *path*; None where no ref reaches one."""
        return history.introduced(self._program, path, blob)

    def stashes(self) -> list[str]:
        """Return the commits of all stashes, the newest first."""
        done = self._program.attempt("rev-list", "--walk-reflogs", "refs/stash", "--")
        return done.stdout.decode().split() if not done.status else []

    def worktrees(self) -> list[str]:
        """Return the top folders of all work trees of this repository, the main one first."""
        done = self._program.attempt("worktree", "list", "--porcelain", "-z")
        said, end = done.stdout, b"\0"
        if done.status:  # git before 2.36 knows no -z here
            said, end = self._program.ask("worktree", "list", "--porcelain"), b"\n"
        blocks = [block.split(end) for block in said.split(end + end)]
        return [
            os.fsdecode(lines[0].removeprefix(b"worktree "))
            for lines in blocks
            if lines[0].startswith(b"worktree ") and b"bare" not in lines
        ]

    # -- pointers

    def pointers(self) -> PointerRows:
        """Return git's index rows of all pointers, sorted by path and stage."""
        return parse_index(self._program.ask("ls-files", "-s", "-z", "--", _POINTERS, has_pattern=True))

    def untracked_pointers(self) -> list[bytes]:
        """Return the pointers in the work tree that git neither tracks nor ignores."""
        listing = ("ls-files", "-z", "--others", "--exclude-standard", "--", _POINTERS)
        return split(self._program.ask(*listing, has_pattern=True))

    def pointers_at(self, rev: str) -> dict[bytes, str]:
        """Return path -> blob of all pointers in a revision; raises `UnknownRevisionError`."""
        return self._pointers_in(self.resolve(rev), self.pointers())

    def head_and_index(self) -> tuple[PointerRows, dict[bytes, str]]:
        """Return the index rows, and path -> blob in HEAD (empty before the first commit)."""
        rows = self.pointers()
        done = self._program.attempt(*_DIFFERENCES, "HEAD", "--", _POINTERS, has_pattern=True)
        if done.status:
            head = self.head()
            return rows, {} if head is None else self._pointers_in(head, rows)
        return rows, undo_changes(rows, done.stdout) if is_plain(rows) else self._listed("HEAD")

    def _pointers_in(self, commit: str, rows: PointerRows) -> dict[bytes, str]:
        if not is_plain(rows):
            return self._listed(commit)
        # git skips every folder that the index and the commit have in common.
        said = self._program.ask(*_DIFFERENCES, commit, "--", _POINTERS, has_pattern=True)
        return undo_changes(rows, said)

    def _listed(self, commit: str) -> dict[bytes, str]:
        return parse_tree(self._program.ask("ls-tree", "-r", "-z", "--full-tree", commit))

    def read_blobs(self, blobs: Sequence[str], max_size: int = 65536) -> list[bytes]:
        """Return the contents of git's blobs, in order.

        Raises: for the first that cannot be read `FormatError` (above *max_size* bytes, or no file) or
        `MissingObjectError`.
        """
        found: list[bytes] = []
        for content in self.try_read_blobs(blobs, max_size):
            if isinstance(content, DataverError):
                raise content
            found.append(content)
        return found

    def try_read_blobs(self, blobs: Sequence[str], max_size: int = 65536) -> list[bytes | DataverError]:
        """Return the contents of git's blobs, in order, and an error for each that cannot be read."""
        return try_read_blobs(self._program, blobs, max_size)

    def pointer_blobs(self, ranges: Sequence[str]) -> list[tuple[bytes, str, str]]:
        """Return (path, blob, first commit) of each distinct pointer that the commits of *ranges* brought.

        *ranges* is what `git rev-list` takes ("A..B", "REV", "--not", "--remotes=origin"), or `ALL`, or
        `EVERYTHING`.  The oldest commits come first.  Raises `UnknownRevisionError`.
        """
        return history.pointer_blobs(self._program, ranges, self.head())

    def pointer_log(self, ranges: Sequence[str]) -> list[PointerCommit]:
        """Return the commits of *ranges* that changed a pointer, the newest first, children before parents.

        *ranges* are revisions and `A..B`.  Raises: `UnknownRevisionError`.
        """
        return history.pointer_log(self._program, ranges)

    def pointer_log_of_everything(self) -> list[PointerCommit]:
        """Return the commits of every ref and reflog entry that changed a pointer, the newest first."""
        return history.pointer_log(self._program, [EVERYTHING])

    def commits_with(self, paths: Sequence[bytes], blobs: Collection[str]) -> list[str]:
        """Return the commits of every ref and reflog entry that have one of *blobs* at one of *paths*."""
        return history.commits_with(self._program, paths, blobs)

    def tags_with(self, paths: Sequence[bytes], blobs: Collection[str]) -> list[str]:
        """Return the tags that have one of *blobs* at one of *paths*."""
        return history.tags_with(self._program, paths, blobs)

    def messages(self) -> Iterator[tuple[str, str]]:
        """Yield every commit of every ref and reflog entry with its whole message."""
        return history.messages(self._program)

    def ref_names(self) -> list[str]:
        """Return the full name of every ref."""
        return history.ref_names(self._program)

    def shallow_commits(self) -> set[str]:
        """Return the commits whose parents a shallow clone lacks."""
        try:
            with open(os.path.join(self.place.common_dir, "shallow"), encoding="ascii") as file:
                return set(file.read().split())
        except FileNotFoundError:
            return set()

    # -- the index and the work tree

    def stage(self, paths: Iterable[bytes], *, force: bool = False) -> None:
        """Stage *paths*, deletions too; with *force* what is ignored as well."""
        if chosen := list(paths):
            self._program.change("add", "-A", *(("-f",) if force else ()), *_NUL_PATHS, paths=chosen)

    def unstage(self, paths: Iterable[bytes]) -> None:
        """Make the index say for *paths* what HEAD says."""
        if chosen := list(paths):
            self._program.change("reset", "-q", *_NUL_PATHS, paths=chosen)

    def rm_cached(self, paths: Iterable[bytes]) -> None:
        """Take *paths*, and all below them, out of the index and leave the files; missing ones are fine."""
        if chosen := list(paths):
            options = ("--cached", "-r", "-q", "-f", "--ignore-unmatch")
            self._program.change("rm", *options, *_NUL_PATHS, paths=chosen)

    def move(self, source: bytes, target: bytes) -> None:
        """Move a tracked file, in the work tree and the index."""
        self._program.change("mv", "--", source, target)

    def tracked_below(self, path: bytes) -> list[bytes]:
        """Return what git tracks at or below *path*; all that it tracks where *path* is empty."""
        where = ("--", path) if path else ()
        return list(dict.fromkeys(split(self._program.ask("ls-files", "-z", *where))))

    def is_ignored(self, paths: Iterable[bytes]) -> set[bytes]:
        """Return those of *paths* that git ignores."""
        # This command takes no pathspecs as they are, and a leading colon would be magic.
        stdin = b"\0".join(b"./" + path for path in paths)
        if not stdin:
            return set()
        done = self._program.attempt("check-ignore", "-z", "--stdin", stdin=stdin, has_pattern=True)
        if done.status not in (0, 1):
            raise self._program.error_of(("check-ignore",), done)
        return {path.removeprefix(b"./") for path in split(done.stdout)}

    def submodules(self) -> list[bytes]:
        """Return the paths of all submodules in the index."""
        rows = split(self._program.ask("ls-files", "-s", "-z"))
        return [row.split(b"\t", 1)[1] for row in rows if row.startswith(b"160000 ")]

    # -- config

    def config_get(self, key: str) -> str | None:
        """Return a config value as git sees it here, or None."""
        done = self._program.attempt("config", "-z", "--get", key)
        if done.status > 1:
            raise self._program.error_of(("config", "--get", key), done)
        return None if done.status else os.fsdecode(done.stdout[:-1])

    def config_get_regexp(self, pattern: str) -> list[tuple[str, str]]:
        """Return all (key, value) whose key matches *pattern*, in git's order."""
        done = self._program.attempt("config", "-z", "--get-regexp", pattern)
        if done.status > 1:
            raise self._program.error_of(("config", "--get-regexp", pattern), done)
        pairs = (row.partition(b"\n") for row in split(done.stdout))
        return [(os.fsdecode(key), os.fsdecode(value)) for key, _, value in pairs]

    def config_set(self, key: str, value: str) -> None:
        """Set a value in this repository's own config."""
        self._program.change("config", "--local", "--replace-all", key, value)
