"""A Git work tree with dataver in it, driven through the Python API, and what its files look like."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dataver.disk.disk import Disk
from dataver.formats.pointer import Pointer, decode_pointer
from dataver.model.results import AddResult, CheckoutResult, DiffResult
from dataver.model.status import StatusResult, TargetStatus
from dataver.model.tree import Entry
from dataver.ops.add import add
from dataver.ops.checkout import checkout
from dataver.ops.diff import diff
from dataver.ops.init import init
from dataver.ops.status import status
from dataver.repo import Repo
from dataver.workspace.paths import PathLike
from dataver.workspace.record import record_name

LARGE = 70_000
"""Bytes above the size from which blobs lie loose in the cache."""


def noise(seed: int, size: int) -> bytes:
    """Return *size* bytes that no compressor shrinks, the same for the same *seed*."""
    return hashlib.shake_128(seed.to_bytes(8, "big")).digest(size)


@dataclass(frozen=True)
class Sandbox:
    """One work tree.  Every verb opens the repository anew, as a command does."""

    top: Path

    # -- Git and files

    def git(self, *args: str, check: bool = True) -> str:
        done = subprocess.run(["git", *args], cwd=self.top, check=check, capture_output=True, text=True)
        return done.stdout

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write *files*: path below the top -> content."""
        for name, content in files.items():
            path = self.top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def read(self, name: str) -> bytes:
        return (self.top / name).read_bytes()

    def commit(self, tag: str = "") -> None:
        self.git("commit", "-q", "--allow-empty", "-m", "Change")
        if tag:
            self.git("tag", tag)

    def clone(self, name: str) -> Sandbox:
        """Return a clone by Git with a copy of this one's cache, and neither secret nor record."""
        target = self.top.parent / name
        subprocess.run(["git", "clone", "-q", str(self.top), str(target)], check=True, capture_output=True)
        other = Sandbox(target)
        shutil.copytree(self.cache, other.cache)
        return other

    # -- verbs

    def repo(self, *, disk: Disk | None = None, overrides: Mapping[str, str] | None = None) -> Repo:
        return Repo(str(self.top), disk=disk, overrides=overrides)

    def add(
        self,
        *targets: PathLike,
        algorithm: str | None = None,
        link: str | None = None,
        dry_run: bool = False,
        disk: Disk | None = None,
    ) -> AddResult:
        with self.repo(disk=disk) as repo:
            return add(repo, targets or ["data"], algorithm=algorithm, link=link, dry_run=dry_run)

    def record(self, *targets: PathLike, tag: str = "") -> None:
        """Add and commit; everything has to be taken."""
        assert self.add(*targets).failed == ()
        self.commit(tag)

    def status(self, *paths: PathLike, verify: bool = False) -> StatusResult:
        with self.repo() as repo:
            return status(repo, paths, verify=verify)

    def target(self, path: str = "data", *, verify: bool = False) -> TargetStatus:
        """Return what `status` says of one target."""
        return next(t for t in self.status(verify=verify).targets if t.path == path.encode())

    def changes(self, path: str = "data", *, verify: bool = False) -> dict[str, str]:
        """Return path -> kind of change that `status` tells."""
        return {os.fsdecode(c.path): c.kind for c in self.target(path, verify=verify).changes}

    def diff(self, old: str | None = None, new: str | None = None, *paths: PathLike) -> DiffResult:
        with self.repo() as repo:
            return diff(repo, old, new, paths)

    def checkout(
        self,
        *paths: PathLike,
        rev: str | None = None,
        force: bool = False,
        dry_run: bool = False,
        to: PathLike | None = None,
        relink: bool = False,
        link: str | None = None,
        whole: bool = False,
    ) -> CheckoutResult:
        with self.repo() as repo:
            return checkout(
                repo,
                rev,
                paths,
                force=force,
                dry_run=dry_run,
                to=to,
                relink=relink,
                link=link,
                whole=whole,
            )

    # -- what lies where

    def pointer(self, path: str = "data") -> Pointer:
        return decode_pointer(self.read(path + ".dv"), path)

    def entries(self, path: str = "data") -> dict[str, Entry]:
        """Return what the pointer's tree holds, path inside the target -> entry."""
        with self.repo() as repo:
            found = list(repo.trees.entries(self.pointer(path).root_id))
        return {os.fsdecode(e.path): e for e in found}

    @property
    def local(self) -> Path:
        return self.top / ".git" / "dataver"

    @property
    def cache(self) -> Path:
        return self.local / "cache"

    def index_file(self, path: str = "data") -> Path:
        return self.local / "index" / f"{record_name(path.encode())}.columns"

    def record_file(self, path: str = "data") -> Path:
        return self.local / "record" / record_name(path.encode())

    def packs(self, letter: str = "d") -> list[Path]:
        return sorted((self.cache / "packs").glob(f"{letter}-*"))

    def loose(self) -> list[Path]:
        return sorted(p for p in (self.cache / "objects").rglob("*") if p.is_file())

    def drop_cache(self) -> None:
        shutil.rmtree(self.cache)


def new_sandbox(top: Path, files: Mapping[str, str | bytes] | None = None) -> Sandbox:
    """Return a sandbox at *top*, which is made; with *files* it has `data` tracked and committed as v1."""
    top.mkdir(parents=True)
    sandbox = Sandbox(top)
    sandbox.git("init", "-q", "-b", "main")
    init(str(top))
    sandbox.commit()
    if files is not None:
        sandbox.write(files)
        sandbox.record("data", tag="v1")
    return sandbox


SMALL: Mapping[str, str | bytes] = {
    "data/a.txt": "alpha\n",
    "data/b.txt": "beta\n",
    "data/train/1.csv": "1,one\n",
    "data/train/2.csv": "2,two\n",
    "data/test/3.csv": "3,three\n",
    "data/big.bin": noise(1, LARGE),
}


def picture(folder: Path, *, without: Iterable[str] = ()) -> dict[bytes, tuple[str, bytes]]:
    """Describe everything below *folder*: name -> (kind, content)."""
    skipped = {os.fsencode(name) for name in without}
    seen: dict[bytes, tuple[str, bytes]] = {}
    top = os.fsencode(folder)
    for here, folders, files in os.walk(top):
        folders[:] = [f for f in folders if os.path.relpath(os.path.join(here, f), top) not in skipped]
        for name in [*folders, *files]:
            path = os.path.join(here, name)
            mode = os.lstat(path).st_mode
            key = os.path.relpath(path, top)
            if stat.S_ISLNK(mode):
                seen[key] = ("symlink", os.readlink(path))
            elif stat.S_ISDIR(mode):
                seen[key] = ("folder", b"")
            elif stat.S_ISREG(mode):
                with open(path, "rb") as file:
                    seen[key] = ("executable" if mode & 0o100 else "file", file.read())
            else:
                seen[key] = ("special", b"")
    return seen
