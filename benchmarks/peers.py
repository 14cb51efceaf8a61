"""The tools that are compared: one table of commands for each, and where to find them.

In a command `{exe}` is the tool, `{target}` the data's name in the workspace, `{pointer}` its pointer,
`{path}` the edited file; `{remote}`, `{work}` and `{clone}` are the folders of remote, workspace and clone.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Argv = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """How one tool is told to do each step; a step that it lacks is left out of its column."""

    name: str
    title: str
    program: str
    version: Argv
    setup: tuple[Argv, ...]
    """Run in the empty workspace, a Git repository, off the clock."""
    clone: tuple[Argv, ...]
    """Run in the folder above, off the clock: makes the clone without its data."""
    steps: Mapping[str, Argv]
    commit: tuple[Argv, ...] = (("git", "add", "-A", "."), ("git", "commit", "-q", "-m", "data"))
    settle: tuple[Argv, ...] = ()
    """Run in the clone, off the clock, before the first command there."""
    update: tuple[Argv, ...] = (("git", "pull", "-q"),)
    """Run in the clone, off the clock: gets the newer commits without their data."""
    environment: Mapping[str, str] = field(default_factory=dict)
    cache: str = ""
    """Where the tool keeps objects, for the size of new metadata."""
    hint: str = ""


DATAVER = Tool(
    name="dataver",
    title="dataver",
    program="dataver",
    version=("{exe}", "--version"),
    setup=(
        ("{exe}", "init"),
        ("{exe}", "remote", "add", "origin", "{remote}", "--default"),
    ),
    clone=(("git", "clone", "-q", "{work}", "{clone}"),),
    steps={
        "add": ("{exe}", "add", "{target}"),
        "status-clean": ("{exe}", "status"),
        "status-one": ("{exe}", "status"),
        "add-one": ("{exe}", "add", "{target}"),
        "push": ("{exe}", "push"),
        "push-nothing": ("{exe}", "push"),
        "push-one": ("{exe}", "push"),
        "pull-one": ("{exe}", "pull"),
        "diff": ("{exe}", "diff", "HEAD~1", "HEAD"),
        "checkout": ("{exe}", "checkout", "--link", "copy"),
        "pull": ("{exe}", "pull"),
        "pull-nothing": ("{exe}", "pull"),
        "edits": ("{exe}", "add", "{path}"),
        "help": ("{exe}", "--help"),
        "version": ("{exe}", "--version"),
        "status-small": ("{exe}", "status"),
        "porcelain": ("{exe}", "status", "--porcelain"),
        "textconv": ("{exe}", "git-textconv", "{pointer}"),
    },
    cache="{work}/.git/dataver/cache",
    hint="pip install .",
)

DVC = Tool(
    name="dvc",
    title="DVC",
    program="dvc",
    version=("{exe}", "--version"),
    setup=(
        ("{exe}", "init", "-q"),
        ("{exe}", "config", "core.analytics", "false"),
        ("{exe}", "config", "core.check_update", "false"),
        ("{exe}", "config", "cache.type", "copy"),
        ("{exe}", "remote", "add", "-q", "-d", "origin", "{remote}"),
    ),
    clone=(("git", "clone", "-q", "{work}", "{clone}"),),
    steps={
        "add": ("{exe}", "add", "-q", "{target}"),
        "status-clean": ("{exe}", "status"),
        "status-one": ("{exe}", "status"),
        "add-one": ("{exe}", "add", "-q", "{target}"),
        "push": ("{exe}", "push", "-q"),
        "push-nothing": ("{exe}", "push", "-q"),
        "push-one": ("{exe}", "push", "-q"),
        "pull-one": ("{exe}", "pull", "-q"),
        "diff": ("{exe}", "diff", "HEAD~1", "HEAD"),
        "checkout": ("{exe}", "checkout", "-q"),
        "pull": ("{exe}", "pull", "-q"),
        "pull-nothing": ("{exe}", "pull", "-q"),
        "help": ("{exe}", "--help"),
        "version": ("{exe}", "--version"),
        "status-small": ("{exe}", "status"),
    },
    environment={"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": "{home}/dvc-site-cache"},
    hint="pip install '.[bench]', or --dvc PATH",
)

# A clone without its data, as the others make it.
_SKIP_SMUDGE = (
    *("-c", "filter.lfs.smudge=git-lfs smudge --skip -- %f"),
    *("-c", "filter.lfs.process=git-lfs filter-process --skip"),
)

GIT_LFS = Tool(
    name="git-lfs",
    title="git-lfs",
    program="git-lfs",
    version=("{exe}", "version"),
    setup=(
        ("git", "lfs", "install"),
        ("git", "lfs", "track", "{target}", "{target}/**"),
        ("git", "init", "-q", "--bare", "{remote}"),
        ("git", "remote", "add", "origin", "{remote}"),
        ("git", "config", "lfs.locksverify", "false"),
        ("git", "add", ".gitattributes"),
    ),
    clone=(("git", *_SKIP_SMUDGE, "clone", "-q", "{remote}", "{clone}"),),
    settle=(("git", "config", "lfs.locksverify", "false"),),
    update=(("git", *_SKIP_SMUDGE, "pull", "-q"),),
    steps={
        "add": ("git", "add", "{target}"),
        "status-clean": ("git", "status"),
        "status-one": ("git", "status"),
        "add-one": ("git", "add", "{target}"),
        "push": ("git", "push", "-q", "origin", "main"),
        "push-nothing": ("git", "push", "-q", "origin", "main"),
        "push-one": ("git", "push", "-q", "origin", "main"),
        "pull-one": ("git", "lfs", "pull"),
        "diff": ("git", "diff", "--stat", "HEAD~1", "HEAD"),
        "checkout": ("git", "checkout", "--", "{target}"),
        "pull": ("git", "lfs", "pull"),
        "pull-nothing": ("git", "lfs", "pull"),
        "version": ("{exe}", "version"),
        "status-small": ("git", "status"),
    },
    environment={"GIT_LFS_PROGRESS": ""},
    hint="apt-get install git-lfs",
)

# The plain tools need no table of their own: benchmarks/floors.py plays them.
FLOOR = Tool("floor", "plain tools", sys.executable, ("{exe}", "--version"), (), (), {})

TOOLS = {tool.name: tool for tool in (DATAVER, DVC, GIT_LFS, FLOOR)}


@dataclass(frozen=True, slots=True)
class Found:
    """A tool that is installed here."""

    tool: Tool
    exe: str
    version: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A tool that is not, and why."""

    tool: Tool
    reason: str


def find_tool(tool: Tool, given: str | None) -> Found | Missing:
    """Find *tool* at the path *given*, beside this Python, or in PATH."""
    beside = Path(sys.executable).parent
    exe = given or shutil.which(tool.program, path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if exe is None:
        return Missing(tool, f"`{tool.program}` is not in PATH ({tool.hint})")
    exe = os.path.abspath(exe)
    argv = [word.format(exe=exe) for word in tool.version]
    try:
        answer = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        return Missing(tool, f"`{exe}` does not run: {error}")
    if answer.returncode != 0:
        last_line = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]
        return Missing(tool, f"`{exe}` does not run: {last_line}")
    return Found(tool, exe, (answer.stdout.strip().splitlines() or ["unknown version"])[0])
