"""Several people on one machine: the program and Git run as users of their own, where root runs the tests."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.cli import Result, dataver, environment, git
from tests.e2e.project import make_home

GROUP = 40_100
"""The group that shares a cache."""
# The interpreter may lie where only root may look: each may read all, and write what is theirs.
_READS = "+dac_read_search"


@dataclass(frozen=True, slots=True)
class Person:
    """One user with a home and one repository."""

    uid: int
    root: Path
    env: dict[str, str]
    umask: str

    @property
    def under(self) -> tuple[str, ...]:
        """Give the command that runs another one as this user."""
        caps = f"-all,{_READS}"
        return (
            *("sh", "-c", f'umask {self.umask}; exec "$@"', "sh"),
            *("setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", f"--groups={GROUP}"),
            *(f"--inh-caps={caps}", f"--ambient-caps={caps}", f"--bounding-set={caps}"),
        )

    def run(self, *args: str, expect: int | None = 0) -> Result:
        """Run dataver in the repository."""
        return dataver(*args, cwd=self.root, env=self.env, expect=expect, under=self.under)

    def git(self, *args: str) -> None:
        """Run Git in the repository."""
        done = subprocess.run(
            [*self.under, "git", *args],
            cwd=self.root,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr

    def write(self, name: str, content: bytes) -> None:
        """Write a file of this user's in the repository."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        for each in (path, path.parent):
            os.chown(each, self.uid, self.uid)

    def clone(self, source: "Person") -> None:
        """Make this user's repository a clone of another's, whose umask may let nobody read it."""
        git("clone", "-q", "--no-local", str(source.root), str(self.root), cwd=self.root, env=self.env)
        for path in (self.root, *self.root.rglob("*")):
            os.chown(path, self.uid, self.uid, follow_symlinks=False)


@contextmanager
def town() -> Iterator[Path]:
    """Give a folder that every user may enter; pytest's own is root's alone."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv, to be two users")
    folder = Path(tempfile.mkdtemp(prefix="dataver-test-"))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)


def person(folder: Path, name: str, uid: int, cache: Path, umask: str = "022") -> Person:
    """Give the user *name* with an empty folder for a repository."""
    home, root = folder / f"home-{name}", folder / name
    make_home(home)
    (home / "gitconfig").write_text((home / "gitconfig").read_text() + "[safe]\n\tdirectory = *\n")
    root.mkdir()
    for each in (home, root):
        os.chown(each, uid, uid)
    return Person(uid, root, {**environment(home), "DATAVER_CACHE__DIR": str(cache)}, umask)
