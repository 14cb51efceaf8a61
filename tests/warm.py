"""The program in a process that has loaded it already: each run is a fork, which saves its start-up.

A run may be held before its first step, so that a tracer can be attached to it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import dataver
from dataver.__main__ import main

_TIMEOUT_S = 90
_PR_SET_PTRACER = 0x59616D61  # linux/prctl.h
_ANYBODY = ctypes.c_ulong(-1)
_IS_FREE = threading.Lock()
_ROOT = Path(__file__).parents[1]


@functools.cache
def _server() -> subprocess.Popen[str]:
    atexit.register(stop)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.warm"],
        cwd=_ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            # What it is started with decides how the streams of every run are encoded.
            "LC_ALL": "C.UTF-8",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run(args: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str] | None:
    """Run the program with *args*; after 90 seconds it is ended by a signal.

    Returns None where another thread has one running: it may wait for this one.
    """
    if not _IS_FREE.acquire(blocking=False):
        return None
    try:
        hold(args, cwd, env)
        return let_go(args)
    finally:
        _IS_FREE.release()


def hold(args: Sequence[str], cwd: Path, env: Mapping[str, str]) -> int:
    """Start the program, which waits for `let_go` before its first step; give its process id."""
    _tell([list(args), str(cwd), dict(env)])
    return int(_answer())


def let_go(args: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Let the program go that is held, and wait for its end."""
    _tell("go")
    exit_status, stdout, stderr = _answer()
    return subprocess.CompletedProcess(args, exit_status, stdout, stderr)


def _tell(request: object) -> None:
    pipe = _server().stdin
    assert pipe is not None
    pipe.write(json.dumps(request) + "\n")
    pipe.flush()


def _answer() -> Any:
    pipe = _server().stdout
    assert pipe is not None
    return json.loads(pipe.readline())


def stop() -> None:
    """End the process that runs programs, where there is one."""
    if _server.cache_info().currsize:
        _server().communicate(timeout=_TIMEOUT_S)
        _server.cache_clear()


def _load_everything() -> None:
    for module in pkgutil.walk_packages(dataver.__path__, "dataver."):
        # What needs an extra that is not installed is loaded by nobody here.
        with contextlib.suppress(ImportError):
            importlib.import_module(module.name)


def _serve(requests: IO[str], answers: IO[str]) -> None:
    _load_everything()
    for line in requests:
        args, cwd, env = json.loads(line)
        outputs = [os.memfd_create("stdout"), os.memfd_create("stderr")]
        gate, opener = os.pipe()
        arrival, arrived = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(opener)
            os.close(arrival)
            _be_the_program(args, cwd, env, outputs, (arrived, gate))
        os.close(gate)
        os.close(arrived)
        # What the child does before it waits is no call of the program's.
        os.read(arrival, 1)
        os.close(arrival)
        answers.write(f"{pid}\n")
        answers.flush()
        requests.readline()
        os.close(opener)
        _, status = os.waitpid(pid, 0)
        said = []
        for fd in outputs:
            with open(fd, "rb") as file:
                file.seek(0)
                said.append(file.read().decode(errors="surrogateescape"))
        answers.write(json.dumps([os.waitstatus_to_exitcode(status), *said]) + "\n")
        answers.flush()


def _be_the_program(
    args: list[str], cwd: str, env: dict[str, str], outputs: list[int], gate: tuple[int, int]
) -> None:
    exit_status = 70
    try:
        signal.alarm(_TIMEOUT_S)
        # Where only a parent may trace, this lets everybody of this user.
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(outputs[0], 1)
        os.dup2(outputs[1], 2)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        sys.argv = ["dataver", *args]
        os.close(gate[0])
        os.read(gate[1], 1)
        exit_status = main()
    except SystemExit as left:
        exit_status = left.code if isinstance(left.code, int) else 70
    except BaseException:  # noqa: BLE001  as the interpreter shows it
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(exit_status)


if __name__ == "__main__":
    # The descriptors 0 and 1 are the programs'; these two must not be theirs.
    with open(os.dup(0)) as asked, open(os.dup(1), "w") as told:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        _serve(asked, told)
