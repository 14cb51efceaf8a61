"""What may become a target: the rules for a path that is to be tracked.

Answers before anything is read; every refusal names the path and the way out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import NamedTuple

from dataver.disk.abandoned import is_temp_name
from dataver.disk.safe_open import kind_of
from dataver.errors import (
    DataverError,
    Failure,
    NoSuchPathError,
    TrackedByGitError,
    UnsafeFileError,
    UnsupportedTargetError,
    local_error,
    show_path,
)
from dataver.formats.pointer import SUFFIX, pointer_of
from dataver.git import Git
from dataver.model.names import folders_of, is_below
from dataver.workspace.pointers import Target


class Intake(NamedTuple):
    """A path to add: a whole target, or something inside one."""

    target: bytes
    known: Target | None
    inner: tuple[bytes, ...]
    """Paths inside the target to add; empty for all of it."""


def plan_intake(
    paths: Sequence[bytes], targets: Sequence[Target], git: Git, *, untrack: bool
) -> tuple[list[Intake], list[Failure]]:
    """Return what to add for *paths* (relative to the top), one row per target, and what cannot be.

    With *untrack* files may be in Git.  Raises, where there is one path only: UnsupportedTargetError,
    UnsafeFileError, NoSuchPathError, TrackedByGitError.
    """
    failed: list[Failure] = []
    by_path = {t.path: t for t in targets}
    whole: dict[bytes, Intake] = {}
    inner: dict[bytes, list[bytes]] = {}
    for path in paths:
        known = by_path.get(path)
        if known is None:
            owner = next((by_path[f] for f in folders_of(path) if f in by_path), None)
            if owner is not None:
                inner.setdefault(owner.path, []).append(path[len(owner.path) + 1 :])
                continue
        try:
            check_target(path, known, targets, git)
            if not untrack:
                check_not_in_git(git, path)
        except DataverError as error:
            if len(paths) == 1:
                raise
            failed.append(error.failure(path))
            continue
        whole[path] = Intake(path, known, ())
    for target, below in inner.items():
        whole.setdefault(target, Intake(target, by_path[target], tuple(sorted(set(below)))))
    return [whole[path] for path in sorted(whole)], failed


def check_target(path: bytes, known: Target | None, targets: Sequence[Target], git: Git) -> None:
    """Check that *path* may be a target of its own."""
    if not path:
        raise UnsupportedTargetError(b".", "the root folder cannot be tracked", hint="dataver add <folder>")
    if path.endswith(SUFFIX):
        raise UnsupportedTargetError(path, "a pointer cannot be tracked", hint="git add " + show_path(path))
    if is_temp_name(os.path.basename(path)):
        raise UnsupportedTargetError(path, "is a temp file that dataver left", hint="dataver status")
    try:
        st = os.lstat(os.fsencode(git.top) + b"/" + path)
    except (FileNotFoundError, NotADirectoryError):
        hint = f"dataver untrack {show_path(path)}" if known else ""
        error = NoSuchPathError(path, what=f"{show_path(path)} does not exist")
        error.hint = hint or "dataver status"
        raise error from None
    except OSError as error:
        raise local_error(error, path) from error
    if stat.S_ISLNK(st.st_mode):
        real = os.path.realpath(os.fsencode(git.top) + b"/" + path)
        raise UnsupportedTargetError(
            path, f"is a symlink to {show_path(real)}", hint=f"dataver add {show_path(real)}"
        )
    if not stat.S_ISREG(st.st_mode) and not stat.S_ISDIR(st.st_mode):
        raise UnsafeFileError(path, f"is a {kind_of(st.st_mode)}")
    for target in targets:
        if target.path != path and is_below(target.path, path):
            raise _nested(path, target.path)
    for module in git.submodules() if os.path.exists(f"{git.top}/.gitmodules") else ():
        if is_below(path, module) or is_below(module, path):
            raise UnsupportedTargetError(path, f"holds the submodule {show_path(module)}")


def _nested(path: bytes, inside: bytes) -> UnsafeFileError:
    error = UnsafeFileError(path, f"holds {show_path(pointer_of(inside))}, and pointers are never nested")
    error.hint = f"dataver untrack {show_path(inside)}"
    return error


def files_in_git(git: Git, path: bytes) -> list[bytes]:
    """Return the files at or below *path* that Git tracks."""
    return [f for f in git.tracked_below(path) if f != pointer_of(path)]


def check_not_in_git(git: Git, path: bytes) -> None:
    """Raises: TrackedByGitError."""
    found = files_in_git(git, path)
    if found:
        raise TrackedByGitError(path, len(found))
