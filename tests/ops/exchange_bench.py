"""Repositories for tests of the verbs that meet a remote: data, clones, a folder as the remote."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from dataver.ops.add import add
from dataver.ops.init import init
from dataver.ops.remotes import remote_add
from dataver.repo import Repo

FILES: Mapping[str, str] = {
    "data/a.txt": "alpha\n",
    "data/b.txt": "beta\n",
    "data/train/1.csv": "1,one\n",
    "data/train/2.csv": "2,two\n",
}


def git(top: Path, *args: str) -> str:
    done = subprocess.run(["git", "-C", str(top), *args], check=True, capture_output=True, text=True)
    return done.stdout


def write(top: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def record(top: Path, *targets: str, tag: str = "") -> None:
    """Add *targets* and commit."""
    with Repo.open(str(top)) as repo:
        add(repo, targets)
    git(top, "commit", "-q", "-m", "Change data")
    if tag:
        git(top, "tag", tag)


def new_project(top: Path, *, remote: str = "../store") -> Path:
    """Make a repository with the data of `FILES` and a remote, committed; nothing is pushed."""
    top.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "-q", "-b", "main", str(top)], check=True)
    init(str(top))
    with Repo.open(str(top)) as repo:
        remote_add(repo, "origin", remote)
    write(top, FILES)
    record(top, "data", tag="v1")
    return top


def clone(top: Path, name: str) -> Path:
    """Clone with Git into a sibling folder; no data comes along."""
    there = top.parent / name
    subprocess.run(["git", "clone", "-q", str(top), str(there)], check=True)
    return there


def packs(store: Path) -> list[Path]:
    return sorted(path for path in (store / "packs").rglob("*") if path.is_file())
