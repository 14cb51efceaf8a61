"""Runs the real program as a child with a clean environment: `python -m dataver`, or a fork of one loaded."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import warm

Json = dict[str, Any]

_ROOT = Path(importlib.util.find_spec("dataver").origin or "").parents[1]  # type: ignore[union-attr]
_TIMEOUT_S = 120.0
_CODES = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 20, 21, 22, 30, 130, 143})


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of the program printed, and how it ended."""

    args: tuple[str, ...]
    stdout: str
    stderr: str
    exit: int

    @property
    def json(self) -> Json:
        """Parse stdout, which must be one JSON document and nothing else."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict), f"not one JSON document: {self.stdout!r}"
        return document

    @property
    def data(self) -> Json:
        """Give the `data` member of the JSON document."""
        data = self.json["data"]
        assert isinstance(data, dict), f"data is not an object: {self.stdout!r}"
        return data

    @property
    def failed(self) -> dict[str, str]:
        """Give path -> code of everything that the document lists as not done."""
        document = self.json
        assert "failed" in document, f"an error, not a list of what failed: {self.stdout!r}"
        return {name_of(item["path"]): item["code"] for item in document["failed"]}

    @property
    def code(self) -> str:
        """Give the code of the first error, from the JSON document or from stderr."""
        if self.stdout.startswith("{"):
            document = self.json
            if "error" in document:
                return str(document["error"]["code"])
            return str(document["failed"][0]["code"])
        for line in self.stderr.splitlines():
            if line.startswith("error["):
                return line[len("error[") : line.index("]")]
        raise AssertionError(f"no error line on stderr: {self.stderr!r}")

    @property
    def hint(self) -> str:
        """Give the hint of the first error, from the JSON document or from stderr."""
        if self.stdout.startswith("{"):
            document = self.json
            found = document["error"] if "error" in document else document["failed"][0]
            return str(found["hint"] or "")
        lines = [text for text in self.stderr.splitlines() if text.lstrip().startswith("hint: ")]
        assert lines, f"no hint on stderr: {self.stderr!r}"
        return lines[0].lstrip().removeprefix("hint: ")

    @property
    def text(self) -> str:
        """Give stdout and stderr with every run of blanks made one space."""
        return " ".join(f"{self.stdout}\n{self.stderr}".split())


def name_of(path: str | Mapping[str, str]) -> str:
    """Give the name that a JSON *path* stands for, undecodable bytes as surrogates."""
    if isinstance(path, str):
        return path
    import base64  # only the few names that are not UTF-8 need it

    return os.fsdecode(base64.b64decode(path["b64"]))


def environment(home: Path, **more: str) -> dict[str, str]:
    """Build an environment that reads no setting of the machine's user."""
    kept = {name: os.environ[name] for name in ("TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PYTHONPATH": str(_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }


def program(*args: str) -> list[str]:
    """Give the command line that starts the program with *args*."""
    return [sys.executable, "-m", "dataver", *args]


def start(*args: str, cwd: Path, env: Mapping[str, str], under: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Start the program, by the command *under* if given, and leave it running; the caller ends it."""
    return subprocess.Popen(
        [*under, *program(*args)],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        start_new_session=True,
    )


def finish(child: subprocess.Popen[str], timeout_s: float = _TIMEOUT_S) -> Result:
    """Wait for a started program and give what it printed."""
    try:
        stdout, stderr = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        # With all that it started: a grandchild would hold the pipes open.
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        raise
    return Result(tuple(map(str, child.args)), stdout, stderr, child.returncode)  # type: ignore[arg-type]


def dataver(
    *args: str,
    cwd: Path,
    env: Mapping[str, str],
    expect: int | None = 0,
    timeout_s: float = _TIMEOUT_S,
    under: Sequence[str] = (),
) -> Result:
    """Run the program to its end; fail unless it exits with *expect* (None: any promised code).

    Whatever it does, no Python traceback may reach the person who ran it.
    """
    may_fork = not under and timeout_s == _TIMEOUT_S and is_usual(env)
    done = warm.run(args, cwd, env) if may_fork else None
    if done is None:
        result = finish(start(*args, cwd=cwd, env=env, under=under), timeout_s)
    else:
        result = Result(tuple(program(*args)), done.stdout, done.stderr, done.returncode)
    return checked(result, args, expect)


def checked(result: Result, args: Sequence[str], expect: int | None) -> Result:
    """Return *result* if the program broke down nowhere and exited with *expect* (None: a promised code)."""
    report = f"dataver {' '.join(args)}\nexit {result.exit}\n{result.stdout}\n{result.stderr}"
    assert "Traceback (most recent call last)" not in result.stderr, report
    assert "error[bug]" not in result.stderr, report
    assert '"code":"bug"' not in result.stdout, report
    if expect is None:
        assert result.exit in _CODES, report
    else:
        assert result.exit == expect, f"expected exit {expect}: {report}"
    return result


def is_usual(env: Mapping[str, str]) -> bool:
    """Tell whether nothing in *env* is read when an interpreter starts: then a fork of a loaded one will do.

    `DATAVER_TESTS_COLD=1` starts a new interpreter for every run.
    """
    usual = {"PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
    read = {name: env[name] for name in env if name.startswith(("PYTHON", "LD_PRELOAD", "MALLOC_", "LC_"))}
    return read == usual and not os.environ.get("DATAVER_TESTS_COLD")


def git(*args: str, cwd: Path, env: Mapping[str, str], expect: int | None = 0) -> str:
    """Run Git and give its stdout; fail unless it exits with *expect* (None: anything)."""
    done = subprocess.run(
        ["git", *args],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        timeout=_TIMEOUT_S,
    )
    report = f"git {' '.join(args)}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert expect is None or done.returncode == expect, report
    return done.stdout
