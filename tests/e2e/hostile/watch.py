"""Looks at a run from outside the process: what was written where, by strace and by comparing folders."""

from __future__ import annotations

import os
import re
import resource
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests import warm
from tests.e2e.cli import Result, checked, is_usual, program
from tests.e2e.project import Project
from tests.faults.strace import attach, may_attach

_WRITING = (
    "open,openat,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,"
    "mkdir,mkdirat,mknod,mknodat,chmod,fchmodat,chown,fchownat,truncate,utimensat,setxattr"
)
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+|\?)")
_WORD = re.compile(r'(?:(AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
_TRACED = ("-f", "-y", "-s", "8192", f"-etrace={_WRITING}")
_MEMORY = 4_000_000_000
_OPEN_FOR_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")


def has_strace() -> bool:
    return shutil.which("strace") is not None


def run(project: Project, *args: str, log: Path, timeout_s: float = 30.0) -> Result:
    """Run the program with 4 GB of addresses; what it changes is written to *log*, if there is strace."""
    if not (has_strace() and is_usual(project.env) and may_attach()):
        tracer = ("strace", "--seccomp-bpf", "-qq", "-o", str(log), *_TRACED) if has_strace() else ()
        watched = replace(project, under=("prlimit", f"--as={_MEMORY}", *tracer))
        return watched.run(*args, expect=None, timeout_s=timeout_s)
    pid = warm.hold(args, project.root, project.env)
    resource.prlimit(pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    attached = attach(pid, log, _TRACED)
    done = warm.let_go(args)
    attached.communicate(timeout=timeout_s)
    result = Result(tuple(program(*args)), done.stdout, done.stderr, done.returncode)
    return checked(result, args, None)


def written_paths(log: Path, cwd: Path) -> set[str]:
    """Return the real path of everything that a program traced in the folder *cwd* changed."""
    changed = set()
    for line in log.read_text("utf-8", "surrogateescape").splitlines():
        found = _CALL.match(line)
        if found is None or found[3].startswith("-") or found[3] == "?":
            continue
        name, arguments = found[1], found[2]
        if name.startswith(("open", "creat")) and not _OPEN_FOR_WRITING.search(arguments):
            continue
        words = _WORD.findall(arguments)
        if name.startswith(("link", "symlink")):
            words = words[-1:]  # what is linked to does not change
        for _, folder, escaped in words:
            path = escaped.encode("latin-1", "backslashreplace").decode("unicode_escape")
            whole = os.path.join(folder or cwd, path)
            # The folder may be a link; the last component is what was changed itself.
            changed.add(os.path.join(os.path.realpath(os.path.dirname(whole)), os.path.basename(whole)))
    return changed


def strays(paths: set[str], allowed: Sequence[Path], forbidden: Sequence[Path] = ()) -> list[str]:
    """Return those of *paths* that lie below none of *allowed*, or below one of *forbidden*."""

    def is_in(path: str, folders: Sequence[Path]) -> bool:
        return any(path == str(f) or path.startswith(f"{f}/") for f in folders)

    return sorted(p for p in paths if not is_in(p, allowed) or is_in(p, forbidden))
