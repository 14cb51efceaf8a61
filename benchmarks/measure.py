"""Programs under the clock: the only module that starts a program and says what it cost."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_ORPHANS_TIMEOUT_S = 60.0
_FIRST_SAMPLE_S = 0.02
_SAMPLE_EVERY_S = 0.2
_OUTPUT_KEPT = 2000


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a program cost, its children and orphans included; sizes in bytes."""

    user_s: float
    system_s: float
    wall_s: float
    peak: int
    """Largest resident set of any one process of the tree."""
    peak_tree: int
    """Largest sampled sum over the tree of proportional set sizes (shared pages counted once)."""
    exit_code: int
    output: str


class CommandFailedError(Exception):
    """A program ended with an exit code that is not zero."""

    def __init__(self, argv: Sequence[str], cost: Cost) -> None:
        lines = cost.output.strip().splitlines()
        self.last_line = lines[-1] if lines else "no output"
        super().__init__(f"`{' '.join(argv)}` ended with {cost.exit_code}: {self.last_line}")


class TimeIsUpError(Exception):
    """A program was stopped because the time limit was reached."""

    def __init__(self, argv: Sequence[str]) -> None:
        super().__init__(f"`{' '.join(argv)}` was stopped at the time limit")


def adopt_orphans() -> None:
    """Become the parent of every daemon that a measured program leaves behind, so that it counts."""
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere orphans are not counted
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def measure(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], timeout_s: float, *, has_orphans: bool = True
) -> Cost:
    """Run *argv* to its end and return what it cost.

    Without *has_orphans* only what the program waited for counts: for whoever has other children too.

    Raises: CommandFailedError, TimeIsUpError.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(  # a session of its own: everything in it can be stopped at once
            argv, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        watcher = _MemoryWatcher(process.pid)
        stopper = threading.Timer(max(timeout_s, 0.0), _stop_session, (process.pid,))
        watcher.start()
        stopper.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            _stop_session(process.pid)
            process.wait()
            raise
        finally:
            stopped = stopper.finished.is_set()
            stopper.cancel()
            watcher.stop()
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        orphans = _wait_for_orphans() if has_orphans else []
        output.seek(max(0, output.seek(0, os.SEEK_END) - _OUTPUT_KEPT))
        text = output.read().decode("utf-8", "replace")
    peak = max(usage.ru_maxrss, *(orphan.ru_maxrss for orphan in orphans), 0) * 1024
    cost = Cost(
        user_s=usage.ru_utime + sum(orphan.ru_utime for orphan in orphans),
        system_s=usage.ru_stime + sum(orphan.ru_stime for orphan in orphans),
        wall_s=wall_s,
        peak=peak,
        peak_tree=watcher.peak,
        exit_code=process.returncode,
        output=text,
    )
    if cost.exit_code != 0:
        raise TimeIsUpError(argv) if stopped else CommandFailedError(argv, cost)
    return cost


def sync_folder(folder: Path) -> float:
    """Write back the file system that *folder* lies on and return the seconds it took."""
    started = time.perf_counter()
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None).syncfs(descriptor) != 0:
            os.sync()
    except AttributeError:  # no syncfs here: all file systems, then
        os.sync()
    finally:
        os.close(descriptor)
    return time.perf_counter() - started


def _stop_session(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _wait_for_orphans() -> list[resource.struct_rusage]:
    """Return the usage of every adopted process, once all have ended."""
    usages: list[resource.struct_rusage] = []
    deadline = time.monotonic() + _ORPHANS_TIMEOUT_S
    while True:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return usages
        if pid:
            usages.append(usage)
        elif time.monotonic() < deadline:
            time.sleep(0.02)
        else:
            for orphan in _tree_of(os.getpid())[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)


class _MemoryWatcher(threading.Thread):
    """Samples the memory of a process tree from a thread of its own until stopped."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._root = root
        self._ended = threading.Event()

    def run(self) -> None:
        pause_s = _FIRST_SAMPLE_S
        while not self._ended.wait(pause_s):
            self.peak = max(self.peak, sum(_memory_of(pid) for pid in _tree_of(self._root)))
            pause_s = min(pause_s * 2, _SAMPLE_EVERY_S)

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _tree_of(root: int) -> list[int]:
    """Return *root* and its living descendants."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                fields = Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(name))
    tree = [root]
    for pid in tree:
        tree.extend(children.get(pid, ()))
    return tree


def _memory_of(pid: int) -> int:
    """Return the proportional set size of a process, 0 when it has ended or cannot be read."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        for line in Path("/proc", str(pid), "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return 0
