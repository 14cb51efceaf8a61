"""Run the git program: its environment, its errors, and the patience for its lock files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from dataver.disk import process
from dataver.disk.disk import StrOrBytes
from dataver.disk.process import Completed, Conversation
from dataver.errors import (
    DiskFullError,
    GitCommandError,
    LocalIOError,
    LockTimeoutError,
    UnknownRevisionError,
    show_path,
)

_TIMEOUT_S = 600.0
_LOCK_PATIENCE_S = 30.0
_LONGEST_PAUSE_S = 0.2
_FOLDER_VARIABLES = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"),
)
# What a hook is told of its own repository and no other may hear: see `git rev-parse --local-env-vars`.
_OWN_VARIABLES = (
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE", "GIT_NAMESPACE"),
    *("GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE"),
)
_PATTERN_VARIABLES = ("GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS")


def _environment(*, is_elsewhere: bool) -> dict[str, str]:
    env = dict(os.environ)
    for name in _FOLDER_VARIABLES:
        # A hook is told relative paths, and git runs in another folder than we.
        if env.get(name):
            env[name] = os.path.abspath(env[name])
    if is_elsewhere:
        for name in (*_FOLDER_VARIABLES, *_OWN_VARIABLES):
            env.pop(name, None)
        env["GIT_NO_REPLACE_OBJECTS"] = "1"  # a replaced commit is still there
    for name in (*_PATTERN_VARIABLES, "GIT_PREFIX", "GIT_EXTERNAL_DIFF"):
        env.pop(name, None)
    env.update(
        GIT_LITERAL_PATHSPECS="1",
        GIT_PAGER="cat",
        GIT_TERMINAL_PROMPT="0",
        LANGUAGE="C",
        LC_ALL="C",
    )
    return env


def _error_of(arguments: Sequence[StrOrBytes], done: Completed, top: str) -> GitCommandError:
    said = done.stderr.decode("utf-8", "backslashreplace").strip()
    told = [line for line in said.splitlines() if line.startswith(("fatal: ", "error: "))]
    message = (told[-1] if told else said).partition(": ")[2] if told else said
    error = GitCommandError([os.fsdecode(word) for word in arguments], done.status, message)
    if "dubious ownership" in said:
        error.hint = f"git config --global --add safe.directory {top}"
    return error


def ask_at(folder: str, *arguments: StrOrBytes) -> bytes:
    """Return what git says in *folder*; raises `GitCommandError`."""
    return Program(folder).ask(*arguments)


def _lock_error(said: bytes, top: str, waited_s: float) -> LockTimeoutError:
    path = os.fsdecode(said.partition(b"'")[2].partition(b"'")[0]) or top
    error = LockTimeoutError(path, f"another git ({show_path(path)})", waited_s)
    error.hint = f"where no other git runs: rm {show_path(path)}"
    return error


def _is_disk_full(said: bytes) -> bool:
    return b"No space left on device" in said or b"Out of diskspace" in said


def _is_locked(said: bytes) -> bool:
    return b"File exists" in said and (b".lock'" in said or b"could not lock" in said)


class Program:
    """The git program at the top of one work tree."""

    def __init__(self, top: str, *, git_dir: str = "", work_tree: str = "") -> None:
        """Run git in the folder *top*; with *git_dir* it asks that repository, whatever it would find."""
        self.top = top
        self._place = [f"--git-dir={git_dir}"] if git_dir else []
        self._place += [f"--work-tree={work_tree}"] if work_tree else []
        self._writing = _environment(is_elsewhere=bool(git_dir))
        self._reading = {**self._writing, "GIT_OPTIONAL_LOCKS": "0"}
        self._globbing = {**self._reading, "GIT_LITERAL_PATHSPECS": "0"}

    def attempt(self, *arguments: StrOrBytes, stdin: bytes = b"", has_pattern: bool = False) -> Completed:
        """Run a git command that reads, and return how it went; raises nothing of git's."""
        env = self._globbing if has_pattern else self._reading
        return self._run(arguments, stdin, env)

    def ask(self, *arguments: StrOrBytes, stdin: bytes = b"", has_pattern: bool = False) -> bytes:
        """Return what a git command says; raises `GitCommandError`."""
        done = self.attempt(*arguments, stdin=stdin, has_pattern=has_pattern)
        if done.status:
            raise self.error_of(arguments, done)
        return done.stdout

    def change(self, *arguments: StrOrBytes, paths: Iterable[bytes] = ()) -> None:
        """Run what writes git's index or config, waiting while another git holds the lock file.

        Raises: `LockTimeoutError`, `DiskFullError`, `GitCommandError`.
        """
        stdin = b"\0".join(paths)
        start = time.monotonic()
        pause = 0.01
        while True:
            done = self._run(arguments, stdin, self._writing)
            if not done.status:
                return
            if _is_disk_full(done.stderr):
                raise DiskFullError(self.top)
            if not _is_locked(done.stderr):
                raise self.error_of(arguments, done)
            waited = time.monotonic() - start
            if waited > _LOCK_PATIENCE_S:
                raise _lock_error(done.stderr, self.top, waited)
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def converse(self, *arguments: StrOrBytes) -> Conversation:
        """Start a git command that answers line by line."""
        argv = ["git", "-C", self.top, *self._place, *arguments]
        return Conversation(argv, env=self._reading, timeout_s=_TIMEOUT_S)

    def error_of(self, arguments: Sequence[StrOrBytes], done: Completed) -> GitCommandError:
        """Return the error that says what git said."""
        return _error_of(arguments, done, self.top)

    def _run(self, arguments: Sequence[StrOrBytes], stdin: bytes, env: dict[str, str]) -> Completed:
        argv = ["git", "-C", self.top, *self._place, *arguments]
        try:
            return process.run(argv, stdin=stdin, env=env, timeout_s=_TIMEOUT_S)
        except LocalIOError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                error.hint = "install git: https://git-scm.com/downloads"
            raise


def check_revision(rev: str) -> None:
    """Refuse a revision that git would take for an option or for several words."""
    if not rev or rev.startswith("-") or not rev.isprintable():
        raise UnknownRevisionError(rev)
