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

from tests import warm
from tests.e2e.cli import environment, is_usual
from tests.simulation.power import Fault
from tests.simulation.world import Outcome, Seen, commit_first, first_files, run_git, temp_folder

_TIMEOUT_S = 60.0
_WORDS = {
    "add": ["add", "data"],
    "gc": ["gc"],
    "gc --pushed": ["gc", "--pushed", "--now"],
    "gc --remote": ["gc", "--remote", "--apply"],
    "verify --remote": ["verify", "--remote", "--repair"],
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
    "verify --remote": ["--all"],
}
_CODES = frozenset({0, 2, 3, 4, 5, 6, 7})


@lru_cache(maxsize=1)
def template() -> Path:
    """Return a repository with a remote beside it; made once, and copied for each example."""
    folder = temp_folder()
    top = folder / "work"
    top.mkdir()
    run_git(top, "init", "-q", "-b", "main", "--template=")
    first_files(top)
    for arguments in (["init"], ["remote", "add", "origin", "../store"], ["add", "data"], ["push"]):
        done = _run(arguments, top)
        assert done.returncode == 0, done.stderr
    commit_first(top)
    return folder


def _run(
    arguments: list[str], top: Path, kill_at: int = -1, ahead_s: float = 0.0
) -> subprocess.CompletedProcess[str]:
    # A home for each clone, as on a machine of its own: nothing of another one can help it.
    home = top.parent / f"home-{top.name}"
    home.mkdir(exist_ok=True)
    env = environment(home)
    names = {name: value for name, value in os.environ.items() if name.startswith("GIT_")}
    is_plain = kill_at < 0 and not ahead_s
    done = warm.run(arguments, top, {**env, **names}) if is_plain and is_usual(env) else None
    if done is not None:
        return done
    module = ["dataver"] if is_plain else ["tests.simulation.killed", str(kill_at), str(ahead_s)]
    return subprocess.run(
        [sys.executable, "-m", *module, *arguments],
        cwd=top,
        env={**env, **names},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        timeout=_TIMEOUT_S,
    )


class ProgramWorld:
    """A machine on which every command is a child of its own; only the program's clock can be wrong."""

    def __init__(self) -> None:
        self.folder = temp_folder()
        for name in ("work", "store"):
            shutil.copytree(template() / name, self.folder / name, symlinks=True)
        self.top = self.folder / "work"
        self.ahead_s = 0.0

    def close(self) -> None:
        shutil.rmtree(self.folder)

    def run(self, verb: str, top: Path, *, fault: Fault | None = None, flag: bool = False) -> Outcome:
        arguments = ["--json", *_WORDS.get(verb, [verb]), *(_FLAGS.get(verb, ()) if flag else ())]
        done = _run(arguments, top, fault.at if fault is not None else -1, self.ahead_s)
        if done.returncode == -9:
            return Outcome(-9, is_crashed=True, is_struck=True)
        assert done.returncode in _CODES, done
        assert "Traceback" not in done.stderr, done
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
            # What lies there may only be read, and what was lost comes back.
            path.unlink(missing_ok=True)
            path.write_bytes(data)

    def jump(self, seconds: float) -> None:
        self.ahead_s += seconds


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
