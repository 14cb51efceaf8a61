"""Files that a repository, a neighbour or a cache may hold to do harm: nothing follows them.

Git carries symlinks, so a clone may hold one in the place of any file that dataver reads or
writes.  Each case plants one, runs the everyday commands and compares all that lies outside.
"""

from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.hostile.watch import has_strace, run, strays, written_paths
from tests.e2e.project import SMALL, Project, picture

_EVERYDAY = (("status",), ("add", "data"), ("checkout", "--force"), ("push",))


class _Owned:
    """Runs a command where anything unpickles it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def _outside(project: Project) -> Path:
    return project.root.parent / "outside"


def _replaced(path: Path) -> Path:
    """Clear the way at *path*."""
    if path.is_dir() and not path.is_symlink():
        for folder in [path, *(p for p in path.rglob("*") if p.is_dir())]:
            folder.chmod(0o755)
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()
    return path


def _link(name: str, aim: str) -> Callable[[Project], None]:
    def plant(project: Project) -> None:
        base = _outside(project) if aim.startswith("outside") else Path("/")
        target = base.parent / aim if aim.startswith("outside") else Path(aim)
        path = _replaced(project.root / name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    return plant


def _fifo(name: str) -> Callable[[Project], None]:
    def plant(project: Project) -> None:
        path = _replaced(project.root / name)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)

    return plant


def _content(name: str, data: bytes) -> Callable[[Project], None]:
    def plant(project: Project) -> None:
        path = _replaced(project.root / name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    return plant


def _pickled_state(project: Project) -> None:
    marker = _outside(project) / "owned"
    path = project.local / "index" / "state.sqlite"
    with sqlite3.connect(path) as base:
        tables = [row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert tables
        for table in tables:
            base.execute(f'UPDATE "{table}" SET value = ?', (pickle.dumps(_Owned(marker)),))
    base.close()


def _every_index_file(data: bytes) -> Callable[[Project], None]:
    def plant(project: Project) -> None:
        for path in (project.local / "index").iterdir():
            if path.is_file():
                path.write_bytes(data)

    return plant


def _loose_is(make: Callable[[Path], None]) -> Callable[[Project], None]:
    def plant(project: Project) -> None:
        for path in sorted((project.cache / "objects").rglob("*")):
            if path.is_file():
                path.unlink()
                make(path)

    return plant


def _packs_are(make: Callable[[Path], None]) -> Callable[[Project], None]:
    def plant(project: Project) -> None:
        for path in sorted((project.cache / "packs").iterdir()):
            path.unlink()
            make(path)

    return plant


def _cache_folder_is_link(name: str) -> Callable[[Project], None]:
    return _link(f".git/dataver/cache/{name}", "outside/folder")


_SECRET = "/etc/passwd"
CASES: dict[str, Callable[[Project], None]] = {
    "the pointer is a link to a file outside": _link("data.dv", "outside/precious"),
    "the pointer is a link to an endless device": _link("data.dv", "/dev/zero"),
    "the pointer is a pipe": _fifo("data.dv"),
    "the pointer is huge": _content("data.dv", b"# " + b"x" * 50_000_000),
    "the pointer is no text": _content("data.dv", bytes(range(256)) * 16),
    "the target is a link to a folder outside": _link("data", "outside/folder"),
    "a folder of the target is a link outside": _link("data/train", "outside/folder"),
    "a file of the target is a link to a device": _link("data/a.txt", "/dev/zero"),
    "a file of the target is a pipe": _fifo("data/a.txt"),
    ".gitignore is a link outside": _link(".gitignore", "outside/precious"),
    ".gitattributes is a link outside": _link(".gitattributes", "outside/precious"),
    ".dataverignore is an endless device": _link("data/.dataverignore", "/dev/zero"),
    ".dataverignore is a pipe": _fifo("data/.dataverignore"),
    ".dataver is a link to a folder outside": _link(".dataver", "outside/folder"),
    "the settings are a link to a device": _link(".dataver/config.toml", "/dev/zero"),
    "the settings are a link to a secret": _link(".dataver/config.toml", _SECRET),
    "the settings are a pipe": _fifo(".dataver/config.toml"),
    "the state database holds pickles": _pickled_state,
    "every index file is garbage": _every_index_file(b"\xff" * 5000),
    "every index file is empty": _every_index_file(b""),
    "the state database is a link outside": _link(".git/dataver/index/state.sqlite", "outside/precious"),
    "the index is a link outside": _link(".git/dataver/index", "outside/folder"),
    "the record is a link outside": _link(".git/dataver/record", "outside/folder"),
    "loose objects are links to a secret": _loose_is(lambda path: path.symlink_to(_SECRET)),
    "loose objects are endless": _loose_is(lambda path: path.symlink_to("/dev/zero")),
    "loose objects are pipes": _loose_is(lambda path: os.mkfifo(path)),
    "loose objects are folders": _loose_is(lambda path: path.mkdir()),
    "packs are links to a secret": _packs_are(lambda path: path.symlink_to(_SECRET)),
    "packs are endless": _packs_are(lambda path: path.symlink_to("/dev/zero")),
    "packs are pipes": _packs_are(lambda path: os.mkfifo(path)),
    "packs are empty": _packs_are(lambda path: path.touch()),
    "the cache's folder for new files is a link outside": _cache_folder_is_link("tmp"),
    "the cache's folder of packs is a link outside": _cache_folder_is_link("packs"),
    "the cache's folder of objects is a link outside": _cache_folder_is_link("objects"),
    "the cache's quarantine is a link outside": _cache_folder_is_link("quarantine"),
    "the cache's list of users is a link outside": _cache_folder_is_link("users"),
    "the cache's lock is a link outside": _link(".git/dataver/cache/lock", "outside/precious"),
    "the locks are a link outside": _link(".git/dataver/locks", "outside/folder"),
    "the secret is a link outside": _link(".git/dataver/keys.toml", "outside/precious"),
    "the clone's id is a link outside": _link(".git/dataver/clone-id", "outside/precious"),
}


@pytest.mark.parametrize("name", CASES)
def test_nothing_follows_a_hostile_file(name: str, published: Project, tmp_path: Path) -> None:
    outside = _outside(published)
    (outside / "folder").mkdir(parents=True)
    (outside / "precious").write_text("precious\n")
    (outside / "folder" / "kept").write_text("kept\n")
    published.run("status")
    published.write({"data/a.txt": "changed\n"})
    CASES[name](published)
    before = picture(outside)
    log = tmp_path / "trace"

    for command in _EVERYDAY:
        run(published, *command, log=log)
        if has_strace():
            _assert_stays_inside(published, log)

    assert picture(outside) == before
    hooks = published.root / ".git" / "hooks"
    assert not [p for p in hooks.iterdir() if p.suffix != ".sample"]
    for path, content in SMALL.items():
        here = published.root / path
        if here.is_file() and not here.is_symlink():
            assert here.read_bytes() in (
                content.encode() if isinstance(content, str) else content,
                b"changed\n",
            )


def _assert_stays_inside(project: Project, log: Path) -> None:
    allowed = [project.root, project.store, Path("/dev"), Path("/proc"), Path("/tmp/dataver")]
    own = project.root / ".git"
    forbidden = [own / "hooks", own / "config", own / "HEAD", own / "refs"]
    assert strays(written_paths(log, project.root), allowed, forbidden) == []
