"""The same machine with the program itself: children, a folder as the remote, and real SIGKILLs."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.e2e.cli import environment
from tests.simulation.power import Fault
from tests.simulation.world import Outcome, Seen, run_git, temp_folder

_TIMEOUT_S = 60.0
_WORDS = {
    "add": ["add", "data"],
    "gc": ["gc"],
    "gc --pushed": ["gc", "--pushed", "--now"],
    "gc --remote": ["gc", "--remote", "--apply"],
}
_FLAGS = {
    "status": ["--verify"],
    "checkout": ["--force"],
    "pull": ["--force"],
    "push": ["--all"],
    "fetch": ["--all"],
    "gc": ["--now"],
    "gc --pushed": ["--all"],
    "gc --remote": ["--grace", "0d"],
}
_CODES = frozenset({0, 2, 3, 4, 5, 6, 7})


@lru_cache(maxsize=1)
def template() -> Path:
    """Return a repository with a remote beside it; made once, and copied for each example."""
    folder = temp_folder()
    top = folder / "work"
    top.mkdir()
    run_git(top, "init", "-q", "-b", "main", "--template=")
    for arguments in (["init"], ["remote", "add", "origin", "../store"]):
        done = _run(arguments, top, folder)
        assert done.returncode == 0, done.stderr
    run_git(top, "commit", "-q", "-m", "Begin")
    return folder


def _run(
    arguments: list[str], top: Path, home: Path, kill_at: int = -1
) -> subprocess.CompletedProcess[bytes]:
    module = ["dataver"] if kill_at < 0 else ["tests.simulation.killed", str(kill_at)]
    env = environment(home)
    names = {name: value for name, value in os.environ.items() if name.startswith("GIT_")}
    return subprocess.run(
        [sys.executable, "-m", *module, *arguments],
        cwd=top,
        env={**env, **names},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=_TIMEOUT_S,
    )


class ProgramWorld:
    """A machine on which every command is a child of its own; its clock is the real one."""

    def __init__(self) -> None:
        self.folder = temp_folder()
        for name in ("work", "store"):
            shutil.copytree(template() / name, self.folder / name, symlinks=True)
        self.top = self.folder / "work"

    def close(self) -> None:
        shutil.rmtree(self.folder)

    def run(self, verb: str, top: Path, *, fault: Fault | None = None, flag: bool = False) -> Outcome:
        arguments = ["--json", *_WORDS.get(verb, [verb]), *(_FLAGS.get(verb, ()) if flag else ())]
        done = _run(arguments, top, self.folder, fault.at if fault is not None else -1)
        if done.returncode == -9:
            return Outcome(-9, is_crashed=True)
        assert done.returncode in _CODES, done
        assert b"Traceback" not in done.stderr, done
        document = json.loads(done.stdout)
        if "error" in document:
            return Outcome(done.returncode, ((b"", document["error"]["code"]),))
        failed = tuple((_inner(item["path"]), item["code"]) for item in document["failed"])
        seen = _seen(document["data"]) if verb == "status" else None
        return Outcome(done.returncode, failed, seen=seen)

    def recover(self, seed: int) -> None:
        """A kill loses nothing: what was written is in the kernel's hands."""

    def settle(self) -> None:
        """Nothing is ever lost here."""

    def remote_keys(self) -> list[str]:
        store = self.folder / "store"
        return sorted(str(path.relative_to(store)) for path in store.rglob("*") if path.is_file())

    def remote_get(self, key: str) -> bytes:
        return (self.folder / "store" / key).read_bytes()

    def remote_set(self, key: str, data: bytes | None) -> None:
        path = self.folder / "store" / key
        if data is None:
            path.unlink()
        else:
            path.chmod(0o644)
            path.write_bytes(data)

    def jump(self, seconds: float) -> None:
        raise AssertionError("the real clock is not ours to set")


def _bytes_of(path: str | dict[str, str]) -> bytes:
    return os.fsencode(path) if isinstance(path, str) else base64.b64decode(path["b64"])


def _inner(path: str | dict[str, str]) -> bytes:
    return _bytes_of(path).removeprefix(b"data/")


def _seen(data: dict[str, Any]) -> Seen | None:
    for target in data["targets"]:
        if _bytes_of(target["path"]).rstrip(b"/") == b"data":
            changed = {_inner(c["path"]) for c in target["changes"]}
            changed |= {_inner(c["from"]) for c in target["changes"] if "from" in c}
            return Seen(target["state"], frozenset(changed), target["absent"])
    return None
