"""Which processes are this one's children now: a server that tests share is one too."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path


def children() -> set[int]:
    """Return the ids of this process's children, those that ended and were not waited for among them."""
    tasks = Path("/proc/self/task")
    if tasks.is_dir():
        found: set[int] = set()
        for task in tasks.iterdir():
            # A thread of a library may end meanwhile.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found.update(int(pid) for pid in (task / "children").read_text().split())
        return found
    with subprocess.Popen(["ps", "-A", "-o", "pid=,ppid="], stdout=subprocess.PIPE, text=True) as ps:
        pairs = [line.split() for line in ps.communicate()[0].splitlines()]
    return {int(pid) for pid, parent in pairs if int(parent) == os.getpid() and int(pid) != ps.pid}
