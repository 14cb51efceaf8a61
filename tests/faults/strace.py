"""Programs under strace: which system calls change something, and one of them broken on purpose.

strace counts `when=` for every thread and process on its own.  A run's calls are therefore told
apart by who made them: dataver's main thread, another thread or worker of it, or a git that it
started (known by its `execve`).  The n-th call of a name is the same one in every run, since the
worlds are small enough for one worker, hashing is seeded and every world lies at one path.
Where a call of the main thread shares its number with one of another's, only the main thread is
traced; else all are, through a seccomp filter that stops at the named calls alone.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import warm
from tests.e2e.cli import program

MUTATING = (
    *("openat", "open", "creat", "write", "pwrite64", "writev", "pwritev"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat"),
    *("mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat", "utimensat"),
    *("ftruncate", "truncate", "fallocate", "copy_file_range", "sendfile", "ioctl"),
    *("fsync", "fdatasync", "syncfs", "sync", "flock"),
)
"""What changes files, folders, locks or what is durable; a call that only reads is sifted out later."""

_TIMEOUT_S = 90.0
_LINE = re.compile(r"^(?:(\d+) +)?(\w+)\((.*)$")
_OPENED_TO_WRITE = re.compile(r"O_(?:WRONLY|RDWR|CREAT|TRUNC)")
_NO_FILE = re.compile(r"^\d+<(?:pipe|socket|anon_inode|/dev/(?!shm))")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call of a run: the *number*-th of its *name* by its thread."""

    role: str
    """`main`, `other` (a thread or worker of dataver) or `git`."""
    name: str
    number: int
    words: str
    """Its arguments and answer, as strace prints them."""
    is_injected: bool
    tid: str


@dataclass(frozen=True, slots=True)
class Run:
    """How a program ended, and the calls that it made."""

    exit: int
    stdout: str
    stderr: str
    calls: tuple[Call, ...]

    @property
    def code(self) -> str:
        """Give the code of the first error on stderr."""
        found = re.search(r"^error\[([a-z-]+)\]", self.stderr, re.MULTILINE)
        return found.group(1) if found else ""


@functools.cache
def obstacle() -> str:
    """Say why strace cannot be used here; empty where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed (apt-get install strace)"
    try:
        done = subprocess.run(
            ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=rename", "-o", os.devnull, "true"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "strace does not answer"
    return "" if done.returncode == 0 else f"strace may not trace here: {done.stderr.strip()}"


def require() -> None:
    """Skip the test where strace cannot be used; on a CI machine that is a failure."""
    why = obstacle()
    if why and os.environ.get("CI"):
        pytest.fail(why)
    if why:
        pytest.skip(why)


def trace(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    *,
    names: Sequence[str] = MUTATING,
    inject: str = "",
    follow: bool = True,
) -> Run:
    """Run *argv* and give the calls of *names* that it made; *inject* is strace's expression."""
    log.unlink(missing_ok=True)
    # strace 6.1 delivers no signal where the seccomp filter has stopped a call.
    filtered = ("--seccomp-bpf",) if follow and "signal=" not in inject else ()
    command = [
        *("strace", "-qq", "-y", "-s", "16", "-o", str(log)),
        *(("-f", *filtered) if follow else ()),
        *("-e", f"trace={','.join(f'?{name}' for name in {*names, 'execve'})}", "-e", "signal=none"),
        *(("-e", f"inject={inject}") if inject else ()),
        *argv,
    ]
    child = subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        stdout, stderr = child.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)
        stdout, stderr = child.communicate()
        stderr += f"\nstill running after {_TIMEOUT_S:.0f} s"
    return Run(child.returncode, stdout, stderr, tuple(_calls(log.read_text(errors="replace"))))


def trace_warm(
    args: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    *,
    names: Sequence[str] = MUTATING,
    inject: str = "",
    follow: bool = True,
) -> Run:
    """Do as `trace` does with the program that *args* are given to, without its start-up.

    Where nobody may attach a tracer to a process that runs, the program is started as by `trace`.
    """
    if not may_attach():
        return trace(program(*args), cwd, env, log, names=names, inject=inject, follow=follow)
    log.unlink(missing_ok=True)
    pid = warm.hold(args, cwd, env)
    watched = f"trace={','.join(f'?{name}' for name in {*names, 'execve'})}"
    options = ["-y", "-s", "16", *(("-f",) if follow else ()), "-e", watched, "-e", "signal=none"]
    tracer = attach(pid, log, [*options, *(("-e", f"inject={inject}") if inject else ())])
    done = warm.let_go(args)
    _, said = tracer.communicate(timeout=_TIMEOUT_S)
    stderr = done.stderr + (said if tracer.returncode > 0 else "")
    calls = _calls(log.read_text(errors="replace"), str(pid) if follow else "main")
    return Run(done.returncode, done.stdout, stderr, tuple(calls))


def attach(pid: int, log: Path, options: Sequence[str]) -> subprocess.Popen[str]:
    """Start strace on a process and wait until it has it."""
    command = ["strace", "-o", str(log), "-p", str(pid), *options]
    tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    for line in tracer.stderr:
        if "attached" in line:
            break
    return tracer


@functools.cache
def may_attach() -> bool:
    """Tell whether a process of this user may be traced from now on."""
    pid = warm.hold(["--version"], Path("/"), os.environ)
    tracer = attach(pid, Path(os.devnull), ["-e", "trace=rename"])
    warm.let_go(["--version"])
    tracer.communicate(timeout=_TIMEOUT_S)
    return tracer.returncode == 0


def _calls(text: str, main: str = "") -> list[Call]:
    counts: Counter[tuple[str, str]] = Counter()
    found: list[tuple[str, str, int, str]] = []
    gits: set[str] = set()
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        tid, name, words = match.group(1) or "main", match.group(2), match.group(3)
        main = main or tid
        if name == "execve":
            if tid != main:
                gits.add(tid)
            continue
        counts[tid, name] += 1
        found.append((tid, name, counts[tid, name], words))
    calls = []
    for tid, name, number, words in found:
        role = "main" if tid == main else "git" if tid in gits else "other"
        calls.append(Call(role, name, number, words, "(INJECTED)" in words, tid))
    return calls


def is_mutating(call: Call) -> bool:
    """Tell whether a call of `MUTATING` changes a file, a folder, a lock or what is durable."""
    if call.name in ("openat", "open"):
        return bool(_OPENED_TO_WRITE.search(call.words)) and "/dev/null" not in call.words
    if call.name == "ioctl":
        return "FICLONE" in call.words
    return not _NO_FILE.match(call.words)
