"""Everything in one repository that keeps a pointer: refs, reflogs, work trees, half-done operations.

The repository is named by its own folder, so that neither the environment (a hook's `GIT_DIR`) nor
the folder that a command runs in decides whom is asked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from dataver.errors import DataverError, UnprovenError, local_error
from dataver.git import history
from dataver.git.blobs import try_read_blobs
from dataver.git.program import Program
from dataver.git.rows import EVERYTHING, parse_index, parse_tree, split

_POINTERS = "*.dv"
_ID = re.compile(rb"\b(?:[0-9a-f]{64}|[0-9a-f]{40})\b")
_PSEUDO_REF = re.compile(r"[A-Z][A-Z_]*")
# Where a rebase, a cherry-pick of several or `git am` keeps what it goes back to.
_OPERATIONS = ("rebase-merge", "rebase-apply", "sequencer")
_MOST_OF_A_FILE = 64 * 1024 * 1024


class WorkTree(NamedTuple):
    """One work tree of a repository."""

    git_dir: str
    """Its own Git folder: `.git`, or `.git/worktrees/NAME`."""
    top: str
    """Where its files are; empty where there are none: a bare repository, or a folder that is gone."""


class KeptPointer(NamedTuple):
    """A version of a pointer that Git keeps."""

    path: bytes
    blob: str
    is_present: bool
    """Whether it is in HEAD or the index of a work tree, not only in history."""


class KeptByGit:
    """One repository, asked for what it keeps.

    Every method raises `GitCommandError` where git fails, and `UnprovenError`.
    """

    def __init__(self, common_dir: str, root: str) -> None:
        """*root* is the top of the work tree that registered the repository."""
        self.common_dir = common_dir
        self._program = Program(common_dir, git_dir=common_dir)
        self.work_trees = self._work_trees(root)

    # -- work trees

    def _work_trees(self, root: str) -> list[WorkTree]:
        found = [WorkTree(self.common_dir, self._main_top(root))]
        folder = f"{self.common_dir}/worktrees"
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return found
        except OSError as error:
            raise local_error(error, folder) from error
        return found + [self._linked(f"{folder}/{name}") for name in names]

    def _main_top(self, root: str) -> str:
        """Return where the main work tree's files are; empty for a bare repository."""
        bare = self._program.attempt("config", "--type=bool", "--get", "core.bare")
        if bare.stdout.strip() == b"true":
            return ""
        said = os.fsdecode(self._program.attempt("config", "--get", "core.worktree").stdout.rstrip(b"\n"))
        if said:
            top = os.path.normpath(os.path.join(self.common_dir, said))
            if not os.path.isdir(top):
                raise UnprovenError(self.common_dir, f"its work tree {top} is not there")
            return top
        if os.path.basename(self.common_dir) == ".git":
            return os.path.dirname(self.common_dir)
        # `git init --separate-git-dir` says only in the work tree where the repository is.
        return root if _git_dir_of(root) == self.common_dir else ""

    def _linked(self, git_dir: str) -> WorkTree:
        try:
            with open(f"{git_dir}/gitdir", "rb") as file:
                place = os.path.join(git_dir, os.fsdecode(file.read(1 << 16).rstrip(b"\n")))
        except FileNotFoundError:
            return WorkTree(git_dir, "")
        except OSError as error:
            raise local_error(error, git_dir) from error
        top = os.path.dirname(os.path.normpath(place))
        if os.path.lexists(place):
            return WorkTree(git_dir, top)
        if os.path.exists(f"{git_dir}/locked"):
            # Git keeps it for a disk that comes back, and so must we: nobody sees its files now.
            raise UnprovenError(
                top,
                "the folder of a locked work tree is not there",
                hint=f"bring it back, or: git -C {self.common_dir} worktree unlock {top}",
            )
        return WorkTree(git_dir, "")

    # -- pointers

    def pointers(self) -> list[KeptPointer]:
        """Return every version of every pointer that anything in the repository keeps."""
        commits, others = self._named_objects()
        rows = history.pointer_blobs(self._program, [EVERYTHING, *commits], None)
        found = [KeptPointer(path, blob, is_present=False) for path, blob, _ in rows]
        found += others
        for tree in self.work_trees:
            found += [KeptPointer(path, blob, is_present=True) for path, blob in self._staged(tree)]
            found += [KeptPointer(path, blob, is_present=True) for path, blob in self._committed(tree)]
        return found

    def read(self, blobs: list[str]) -> list[bytes | DataverError]:
        """Return the contents of *blobs*, in order, and an error for each that cannot be read."""
        return try_read_blobs(self._program, blobs, 65536) if blobs else []

    def untracked(self, tree: WorkTree) -> list[bytes]:
        """Return the pointers in a work tree that Git neither tracks nor ignores."""
        program = Program(tree.top, git_dir=tree.git_dir, work_tree=tree.top)
        listing = ("ls-files", "-z", "--others", "--exclude-standard", "--", _POINTERS)
        return split(program.ask(*listing, has_pattern=True))

    def staged_paths(self, tree: WorkTree) -> list[bytes]:
        """Return the paths of all pointers in a work tree's index."""
        return [path for path, _ in self._staged(tree)]

    def _staged(self, tree: WorkTree) -> list[tuple[bytes, str]]:
        """Return the index's pointers in all their stages, those of conflicts just resolved too."""
        program = Program(self.common_dir, git_dir=tree.git_dir)
        rows = parse_index(program.ask("ls-files", "-s", "-z", "--", _POINTERS, has_pattern=True))
        resolved = ("ls-files", "--resolve-undo", "-z", "--", _POINTERS)
        rows += parse_index(program.ask(*resolved, has_pattern=True))
        return [(row.path, row.blob) for row in rows]

    def _committed(self, tree: WorkTree) -> list[tuple[bytes, str]]:
        """Return the pointers in a work tree's HEAD."""
        program = Program(self.common_dir, git_dir=tree.git_dir)
        if program.attempt("rev-parse", "--verify", "--quiet", "HEAD^{commit}").status:
            return []
        return list(parse_tree(program.ask("ls-tree", "-r", "-z", "--full-tree", "HEAD")).items())

    def _named_objects(self) -> tuple[list[str], list[KeptPointer]]:
        """Return commits that no ordinary ref reaches, and pointers in trees and blobs that are named."""
        listing = ("for-each-ref", "--format=%(objectname)")
        ordinary = set(self._program.ask(*listing).split())
        named = set(ordinary)
        for tree in self.work_trees:
            if tree.git_dir != self.common_dir:
                # A linked work tree has refs of its own, such as those of a bisection.
                named.update(Program(self.common_dir, git_dir=tree.git_dir).ask(*listing).split())
            for path in _operation_files(tree.git_dir):
                named.update(_ID.findall(_content(path)))
        asked = b"".join(name + b"^{}\n" for name in sorted(named))
        said = self._program.ask("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked)
        commits: list[str] = []
        others: list[KeptPointer] = []
        for line in said.splitlines():
            kind, _, name = line.decode("ascii", "replace").partition(" ")
            if kind == "commit" and name.encode() not in ordinary:
                commits.append(name)
            elif kind == "tree":
                listed = self._program.ask("ls-tree", "-r", "-z", "--full-tree", name)
                others += [
                    KeptPointer(path, blob, is_present=False) for path, blob in parse_tree(listed).items()
                ]
            elif kind == "blob":
                others.append(KeptPointer(b"", name, is_present=False))
        return commits, others


def _git_dir_of(root: str) -> str:
    """Return what the file `.git` in *root* points at, or nothing."""
    try:
        with open(f"{root}/.git", "rb") as file:
            text = file.read(1 << 16)
    except OSError:
        return ""
    return os.path.realpath(os.path.join(root, os.fsdecode(text.removeprefix(b"gitdir: ").rstrip(b"\r\n"))))


def _operation_files(git_dir: str) -> Iterable[str]:
    """Yield the files that may name commits: MERGE_HEAD and its like, and what a rebase keeps."""
    with os.scandir(git_dir) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if _PSEUDO_REF.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                yield entry.path
            elif entry.name in _OPERATIONS and entry.is_dir(follow_symlinks=False):
                for here, _, names in os.walk(entry.path):
                    yield from (os.path.join(here, name) for name in sorted(names))


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST_OF_A_FILE)
    except FileNotFoundError:  # the operation ended this moment
        return b""
    except OSError as error:
        raise local_error(error, path) from error
