"""The README's section on remotes, typed literally, against the server that its first command starts."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.cli import environment
from tests.e2e.project import make_home
from tests.servers.daemon import free_port

ROOT = Path(__file__).resolve().parents[2]
_MARK = "=== step ended"
_PORT = "5555"


def _steps() -> list[tuple[str, list[str]]]:
    """Return the commands of the section's session, each with the lines that it is said to print."""
    section = (ROOT / "README.md").read_text().partition("\n## Remotes\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```shell-session\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    steps: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def _shape(lines: list[str]) -> list[str]:
    """Return lines without what differs between two runs: times, and the sizes of compressed things."""
    shaped = []
    for line in lines:
        text = re.sub(r"\d+:\d\d\b", "TIME", line)
        text = re.sub(r"[\d.]+ (B|kB|MB)\b", "SIZE", text)
        shaped.append(re.sub(r"(push|pull|nothing new) [\d,]+", r"\1 N", text))
    return shaped


def test_the_remotes_of_the_readme_work_as_typed_and_print_what_is_printed(tmp_path: Path) -> None:
    steps = _steps()
    script = "\n".join(f"{{ {command}\n}} 2>&1 || exit 1\necho '{_MARK}'" for command, _ in steps)
    make_home(tmp_path / "home")
    tools = tmp_path / "bin"
    tools.mkdir()
    program = tools / "dataver"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dataver "$@"\n')
    program.chmod(0o755)
    env = environment(tmp_path / "home")
    play = tmp_path / "play"
    play.mkdir()

    played = subprocess.Popen(
        ["bash", "-c", script.replace(_PORT, str(free_port()))],
        cwd=play,
        env={**env, "PATH": f"{tools}:{env['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = played.communicate(timeout=100)
    finally:
        # The server too, where a step before its end failed.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(played.pid, signal.SIGKILL)

    assert played.returncode == 0, said
    printed = [part.strip("\n").splitlines() for part in said.split(f"{_MARK}\n")]
    for (command, lines), got in zip(steps, printed, strict=False):
        assert _shape(got) == _shape(lines), f"$ {command}\n" + "\n".join(got)
