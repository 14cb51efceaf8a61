"""Find the work tree and repository that a folder lies in, without git in the ordinary case."""

from __future__ import annotations

import os
from typing import NamedTuple

from dataver.disk.disk import StrOrBytes
from dataver.errors import GitCommandError, NoGitError
from dataver.git.program import ask_at

# Where one of these is set, git looks elsewhere: it is asked.
_DISCOVERY_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
)


class GitPlace(NamedTuple):
    """Where a work tree and its repository lie: absolute paths without symlinks."""

    top: str
    git_dir: str
    """This work tree's own (`.git`, or `.git/worktrees/NAME`)."""
    common_dir: str
    """What all work trees of the repository share."""


def find_place(start: str) -> GitPlace:
    """Return the work tree that *start* lies in.

    Raises: `NoGitError` outside any work tree and in a bare repository.
    """
    folder = os.path.realpath(start)
    if not any(name in os.environ for name in _DISCOVERY_VARIABLES):
        found = _walk_up(folder)
        if found is not None:
            return found
    return _ask_place(folder)


def _walk_up(start: str) -> GitPlace | None:
    """Look for `.git` as git does; None where it is for git to say."""
    try:
        device = os.stat(start).st_dev
    except OSError:
        return None
    folder = start
    while (git_dir := _git_dir_of(folder)) is None:
        if os.path.exists(os.path.join(folder, "HEAD")) and _is_git_dir(folder, folder):
            return None  # bare, or inside of .git
        parent = os.path.dirname(folder)
        if parent == folder or os.stat(parent).st_dev != device:
            raise NoGitError(start)
        folder = parent
    common_dir = _common_dir_of(git_dir)
    if not _is_git_dir(git_dir, common_dir) or _is_configured_elsewhere(git_dir, common_dir):
        return None
    return GitPlace(folder, git_dir, common_dir)


def _git_dir_of(folder: str) -> str | None:
    path = os.path.join(folder, ".git")
    try:
        text = _read(path)
    except IsADirectoryError:
        return os.path.realpath(path)
    except OSError:
        return None
    if not text.startswith(b"gitdir: "):
        return None
    return os.path.realpath(os.path.join(folder, os.fsdecode(text[8:].rstrip(b"\r\n"))))


def _common_dir_of(git_dir: str) -> str:
    try:
        text = _read(os.path.join(git_dir, "commondir"))
    except OSError:
        return git_dir
    return os.path.realpath(os.path.join(git_dir, os.fsdecode(text.rstrip(b"\r\n"))))


def _is_git_dir(git_dir: str, common_dir: str) -> bool:
    return (
        os.path.lexists(os.path.join(git_dir, "HEAD"))
        and os.path.isdir(os.path.join(common_dir, "objects"))
        and os.path.isdir(os.path.join(common_dir, "refs"))
    )


def _is_configured_elsewhere(git_dir: str, common_dir: str) -> bool:
    """Return whether the repository's config may move the work tree, or say that there is none."""
    for path in (os.path.join(common_dir, "config"), os.path.join(git_dir, "config.worktree")):
        try:
            text = _read(path)
        except OSError:
            continue
        for line in text.lower().splitlines():
            key, _, value = line.rpartition(b"]")[2].partition(b"=")
            if key.strip() == b"worktree" or line.lstrip().startswith(b"[include"):
                return True
            if key.strip() == b"bare" and value.strip() != b"false":
                return True
    return False


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(fd, 1 << 20)
    finally:
        os.close(fd)


def _ask_place(folder: str) -> GitPlace:
    arguments: tuple[StrOrBytes, ...] = (
        *("rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir"),
    )
    try:
        said = ask_at(folder, *arguments)
    except GitCommandError as error:
        if any(words in error.message for words in ("not a git repository", "in a work tree")):
            raise NoGitError(folder) from error
        raise
    lines = said.split(b"\n")
    if len(lines) != 4:
        raise GitCommandError(["rev-parse"], 0, "a path with a line break is not supported")
    top, git_dir, common_dir = (os.path.realpath(os.path.join(folder, os.fsdecode(x))) for x in lines[:3])
    return GitPlace(top, git_dir, common_dir)
