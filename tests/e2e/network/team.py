"""A remote on moto behind a proxy that breaks things, and the clones that use it; made once, copied often.

    v1  pushed: small files
    v2  pushed: more small files and one of 9 MiB
    v3  not pushed: more small files, and one chunk of the large file is another
    litter  pushed, and named by nothing any more

Everything but the faulted command itself is done inside the test's process: a process adds nothing there.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import dataver
from dataver.disk.disk import Clock
from dataver.errors import exit_status_of
from tests.e2e.cli import environment
from tests.e2e.project import Project, blob, make_home, picture
from tests.servers.chaos import Chaos
from tests.servers.server import Server, s3_client

TIMEOUT_S = 1
"""What `transfer.timeout` is here."""
LARGE = 9 << 20
_COPIED_AT_ONCE = 8

Call = Callable[[dataver.Repo], dataver.Result]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, inside this process or in one of its own."""

    exit: int
    code: str
    """Of the first error; empty where there is none."""
    took_s: float
    """With the pauses that were skipped."""
    text: str = ""


class Hasty(Clock):
    """A clock whose pauses are over at once, and count all the same."""

    __slots__ = ("_lock", "slept_s")

    def __init__(self) -> None:
        self.slept_s = 0.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return time.monotonic() + self.slept_s

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept_s += seconds
        time.sleep(0.001)


@dataclass(frozen=True, slots=True)
class Template:
    """What every test begins with."""

    top: Path
    bucket: str
    server: Server
    """Past the proxy."""
    proxy: Chaos
    client: Any
    """Of boto3, past the proxy: for what dataver never does."""

    def copied(self, top: Path, prefix: str = "") -> Team:
        """Give a team with clones of its own, and a remote of its own unless it is that at *prefix*."""
        shutil.copytree(self.top / "home", top / "home")
        if not prefix:
            prefix = f"remote-{os.urandom(6).hex()}"
            self.lay_out(prefix)
        return Team(self, top, prefix)

    def lay_out(self, prefix: str) -> None:
        """Copy the remote to *prefix*, on the server."""

        def copy(key: str) -> None:
            self.client.copy_object(
                Bucket=self.bucket,
                Key=key.replace("template/", f"{prefix}/", 1),
                CopySource={"Bucket": self.bucket, "Key": key},
            )

        with ThreadPoolExecutor(_COPIED_AT_ONCE) as pool:
            list(pool.map(copy, self.listed("template/")))

    def listed(self, prefix: str) -> dict[str, str]:
        """Give key -> ETag of all keys that begin with *prefix*."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", ())}


@dataclass(frozen=True, slots=True)
class Team:
    """The clones of one test, and the place of their remote."""

    template: Template
    top: Path
    prefix: str
    """Of the remote's keys in the bucket."""

    @property
    def proxy(self) -> Chaos:
        """Give the proxy through which all of them reach the remote."""
        return self.template.proxy

    @property
    def env(self) -> Mapping[str, str]:
        """Give what a process needs to reach the remote."""
        return {
            **environment(self.top / "home"),
            **self.template.server.through(self.proxy.url).environment,
            "DATAVER_TRANSFER__TIMEOUT": str(TIMEOUT_S),
        }

    def clone(self, name: str) -> Project:
        """Give a clone, copied when it is first asked for.

        `author` is at v3 and `keeper` at v2 with everything in their caches; `fresh` is at v3 and
        `reader` at v2 without any data.
        """
        folder = self.top / name
        if not folder.exists():
            self._copy(name, folder)
        return Project(folder, self.env)

    def _copy(self, name: str, folder: Path) -> None:
        shutil.copytree(self.template.top / name, folder, symlinks=True)
        config = folder / ".dataver" / "config.toml"
        config.write_text(config.read_text().replace("/template", f"/{self.prefix}"))

    def stored(self) -> dict[str, str]:
        """Give key -> ETag of all that lies on the remote, without what a reader may write."""
        found = self.template.listed(f"{self.prefix}/")
        return {key: tag for key, tag in found.items() if "/clients/" not in key}

    def stored_bytes(self, folder: str) -> int:
        """Give the bytes that lie on the remote below *folder*."""
        template = self.template
        pages = template.client.get_paginator("list_objects_v2").paginate(
            Bucket=template.bucket, Prefix=f"{self.prefix}/{folder}"
        )
        return sum(item["Size"] for page in pages for item in page.get("Contents", ()))

    def is_restored(self, version: str) -> bool:
        """Pull *version* into a clone without data, and tell whether all of it came, byte for byte."""
        folder = self.top / f"restored-{os.urandom(4).hex()}"
        self._copy({"v2": "reader", "v3": "fresh"}[version], folder)
        ended = inside(folder, dataver.pull)
        assert ended.exit == 0, ended
        is_same = contents(folder) == contents(self.template.top / version)
        shutil.rmtree(folder)
        return is_same


def contents(folder: Path) -> dict[bytes, tuple[str, bytes]]:
    """Describe the data in a clone."""
    return picture(folder / "data")


def inside(folder: Path, call: Call) -> Ended:
    """Run a command of the public interface in this process, with pauses that are over at once."""
    clock = Hasty()
    began = clock.monotonic()
    try:
        with dataver.Repo(str(folder), clock=clock) as repo:
            result = call(repo)
    except dataver.DataverError as error:
        return Ended(error.exit_status, error.code, clock.monotonic() - began, repr(error))
    first = next((f for f in result.failed if f.exit_status == exit_status_of(result.failed)), None)
    return Ended(
        result.exit_status, first.code if first else "", clock.monotonic() - began, repr(result.failed)
    )


# -- making it --------------------------------------------------------------------------------------


def make_template(top: Path, server: Server, proxy: Chaos, client: Any) -> Template:
    """Make the clones and their remote; the environment must lead to the server already."""
    make_home(top / "home")
    bucket = server.fresh_bucket()
    name = bucket.partition("://")[2]
    author = Project(top / "author", environment(top / "home", **server.environment))
    author.root.mkdir(parents=True)
    author.git("init", "-q", "--template=")
    dataver.init(str(author.root))
    done(author, lambda repo: dataver.remote_add(repo, "origin", f"{bucket}/template"))
    author.git("add", "-A")
    author.git("commit", "-q", "-m", "Begin")
    author.write({f"data/first/{number}.txt": blob(number, 2_000 + number) for number in range(12)})
    record(author, "v1")
    done(author, dataver.push)
    author.write({f"data/second/{number}.txt": blob(100 + number, 30_000 + number) for number in range(8)})
    author.write({"data/large.bin": blob(1, LARGE)})
    record(author, "v2")
    done(author, dataver.push)
    _litter(author)
    shutil.copytree(author.root, top / "v2", ignore=shutil.ignore_patterns(".git"))
    shutil.copytree(author.root, top / "keeper", symlinks=True)
    changed = bytearray(blob(1, LARGE))
    changed[5_000_000:5_000_100] = blob(2, 100)
    author.write({"data/large.bin": bytes(changed)})
    author.write({f"data/third/{number}.txt": blob(200 + number, 40_000 + number) for number in range(8)})
    record(author, "v3")
    shutil.copytree(author.root, top / "v3", ignore=shutil.ignore_patterns(".git"))
    for clone, version in (("reader", "v2"), ("fresh", "v3")):
        author.git("clone", "-q", "--template=", str(author.root), str(top / clone))
        replace(author, root=top / clone).git("checkout", "-q", "--detach", version)
    return Template(top, name, server, proxy, client)


def _litter(author: Project) -> None:
    """Push a version and forget it."""
    author.git("switch", "-q", "-c", "try")
    author.write({f"data/litter/{number}.txt": blob(300 + number, 20_000) for number in range(8)})
    record(author, "litter")
    done(author, dataver.push)
    author.git("switch", "-q", "main")
    done(author, dataver.checkout)
    author.git("branch", "-q", "-D", "try")
    author.git("tag", "-d", "litter")
    author.git("reflog", "expire", "--expire=now", "--all")
    author.git("gc", "-q", "--prune=now")


def done(project: Project, call: Call) -> None:
    """Run a command of the public interface that must succeed."""
    ended = inside(project.root, call)
    assert ended.exit == 0, ended


def record(project: Project, tag: str) -> None:
    """Add data, commit, and tag the commit."""
    done(project, lambda repo: dataver.add(repo, [project.root / "data"]))
    project.git("add", "-A")
    project.commit(tag, tag)


@contextmanager
def client_of(server: Server) -> Iterator[Any]:
    """Give a boto3 client of a server."""
    environment = server.environment
    made = s3_client(server.endpoint, environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    try:
        yield made
    finally:
        made.close()


@contextmanager
def reached(server: Server, proxy: Chaos) -> Iterator[None]:
    """Let this process reach a server through the proxy."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.through(proxy.url).environment.items():
            patch.setenv(name, value)
        patch.setenv("DATAVER_TRANSFER__TIMEOUT", str(TIMEOUT_S))
        yield
