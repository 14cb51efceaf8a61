"""A Git repository under test, and what its files look like on disk."""

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.e2e.cli import Json, Result, dataver, environment, git

Content = Mapping[str, str | bytes]


def blob(seed: int, size: int) -> bytes:
    """Give *size* bytes that no compressor shrinks, the same for the same *seed*."""
    return hashlib.shake_128(seed.to_bytes(8, "big")).digest(size)


def picture(folder: Path) -> dict[bytes, tuple[str, bytes]]:
    """Describe everything below *folder*: name -> (kind, content); modes count as executable or not."""
    seen: dict[bytes, tuple[str, bytes]] = {}
    top = os.fsencode(folder)
    for here, folders, files in os.walk(top):
        for name in [*folders, *files]:
            path = os.path.join(here, name)
            mode = os.lstat(path).st_mode
            key = os.path.relpath(path, top)
            if stat.S_ISLNK(mode):
                seen[key] = ("symlink", os.readlink(path))
            elif stat.S_ISDIR(mode):
                seen[key] = ("folder", b"")
            else:
                kind = "executable" if mode & 0o111 else "file"
                with open(path, "rb") as opened:
                    seen[key] = (kind, hashlib.file_digest(opened, "blake2b").digest())
    return seen


def size_below(folder: Path) -> int:
    """Give the bytes in all files below *folder*; a file may vanish meanwhile."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(here, name)).st_size
    return total


def listing(folder: Path, without: Iterable[str] = ()) -> dict[str, bytes]:
    """Give name -> content of every file below *folder*, but for the top names in *without*."""
    skipped = set(without)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] not in skipped
    }


SMALL: Content = {
    "data/a.txt": "alpha\n",
    "data/b.txt": "beta\n",
    "data/train/1.csv": "1,one\n",
    "data/train/2.csv": "2,two\n",
    "data/test/3.csv": "3,three\n",
    "data/big.bin": blob(1, 100_000),
}


@dataclass(frozen=True, slots=True)
class Project:
    """One Git work tree, and the means to run the program and Git in it."""

    root: Path
    env: Mapping[str, str]
    under: tuple[str, ...] = ()
    """The command by which the program is started, where it is to have fewer rights than the tests."""

    def run(
        self, *args: str, expect: int | None = 0, cwd: Path | None = None, timeout_s: float = 120.0
    ) -> Result:
        """Run the program here, or in *cwd*; it must exit with *expect* (None: any promised code)."""
        return dataver(
            *args,
            cwd=cwd or self.root,
            env=self.env,
            expect=expect,
            timeout_s=timeout_s,
            under=self.under,
        )

    def ask(self, *args: str, expect: int | None = 0) -> Json:
        """Run the program with `--json` and give the document's `data`."""
        return self.run("--json", *args, expect=expect).data

    def git(self, *args: str, expect: int | None = 0) -> str:
        """Run Git here and give its stdout."""
        return git(*args, cwd=self.root, env=self.env, expect=expect)

    def write(self, files: Content) -> None:
        """Write *files*: path below the root -> content."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def read(self, name: str) -> str:
        """Give the text of the file *name*."""
        return (self.root / name).read_text()

    def commit(self, message: str = "Change data", tag: str | None = None) -> str:
        """Commit what is staged, tag it with *tag*, and give the commit's id."""
        self.git("commit", "-q", "-m", message)
        if tag:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD").strip()

    def record(self, *targets: str, tag: str | None = None, message: str = "Change data") -> str:
        """Add *targets*, commit, and give the commit's id."""
        self.run("add", *targets)
        return self.commit(message, tag)

    def target(self, path: str = "data") -> Json:
        """Give what `status` says of the target *path*."""
        for target in self.ask("status")["targets"]:
            if target["path"].rstrip("/") == path:
                assert isinstance(target, dict)
                return target
        raise AssertionError(f"status does not name {path}")

    def changes(self, path: str = "data") -> dict[str, str]:
        """Give path -> kind of change of the workspace, as `status` says for the target *path*."""
        return {change["path"]: change["change"] for change in self.target(path)["changes"]}

    def clone(self, name: str, *args: str) -> "Project":
        """Clone this repository with Git into a sibling folder *name*; no data comes along."""
        self.git("clone", "-q", *args, str(self.root), str(self.root.parent / name))
        return replace(self, root=self.root.parent / name)

    @property
    def store(self) -> Path:
        """Give the folder that the fixtures use as the remote."""
        return self.root.parent / "store"

    @property
    def local(self) -> Path:
        """Give the folder with everything local: cache, trash, record."""
        return self.root / ".git" / "dataver"

    @property
    def cache(self) -> Path:
        """Give the cache."""
        return self.local / "cache"

    def loose(self, path: str) -> Path:
        """Give the cache's file for the large blob that *path* names."""
        oid = self.oid(path)
        algorithm, digest = oid.split(":")
        return self.cache / "objects" / algorithm / digest[:2] / digest[2:]

    def oid(self, path: str) -> str:
        """Give the id of the tracked file *path*, as `ls` tells it."""
        entries = self.ask("ls", path)["entries"]
        return str(next(entry["oid"] for entry in entries if entry["path"] == path))

    def drop_cache(self) -> None:
        """Remove the whole cache, as a person short of disk space would."""
        for path in sorted(self.cache.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(self.cache)


def make_home(home: Path) -> None:
    """Make a home folder whose Git settings name a fixed author."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "gitconfig").write_text(
        "[user]\n\tname = Ada Example\n\temail = ada@example.org\n"
        "[init]\n\tdefaultBranch = main\n"
        "[commit]\n\tgpgsign = false\n"
        "[gc]\n\tauto = 0\n"
        "[advice]\n\tdetachedHead = false\n"
        "[core]\n\tpager = cat\n"
    )


def new_project(root: Path, home: Path) -> Project:
    """Make a Git repository with dataver in it, committed."""
    make_home(home)
    root.mkdir(parents=True)
    project = Project(root, environment(home))
    project.git("init", "-q")
    project.run("init")
    project.commit("Begin")
    return project


def publish(project: Project, timeout_s: float = 120.0) -> None:
    """Give *project* the sibling folder `store` as its remote, committed, and push what HEAD names."""
    project.run("remote", "add", "origin", "../store")
    project.commit("Name the remote")
    project.run("push", timeout_s=timeout_s)
