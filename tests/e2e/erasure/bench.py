"""A project with a person's files in three versions, its remote, and a raw look at every byte of both.

The remote is looked at past dataver: a folder with os.walk, a bucket with boto3, all versions of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dataver.hashing import BLAKE3, digest
from tests.e2e.cli import Json, Result
from tests.e2e.project import Project, blob, new_project
from tests.erasure.nowhere import nowhere
from tests.servers.server import Server

PERSON = "u1041"
FOLDER = f"data/users/{PERSON}"
SELECTED = f"{FOLDER}/**"
MARKER = b"secret-of-the-person-"
LARGE = 9_000_000
"""Bytes of a file that is cut into chunks on its way to a remote."""


@dataclass(slots=True)
class Store:
    """Where the remote lies, and how to look at all of it."""

    url: str
    kind: str
    client: Any = None
    bucket: str = ""
    options: dict[str, str] = field(default_factory=dict)

    def configure(self, project: Project, name: str = "origin") -> None:
        """Make it a remote of *project*."""
        more = [word for key, value in self.options.items() for word in (f"--{key}", value)]
        # Relative: a copy of everything has its own.
        url = f"../{Path(self.url).name}" if self.kind == "folder" else self.url
        project.run("remote", "add", name, url, *more)

    def versions(self) -> list[dict[str, Any]]:
        """Give every version and delete marker of the bucket."""
        found: list[dict[str, Any]] = []
        for page in self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket):
            found += [{**one, "marker": False} for one in page.get("Versions", ())]
            found += [{**one, "marker": True} for one in page.get("DeleteMarkers", ())]
        return found

    def uploads(self) -> list[dict[str, Any]]:
        """Give every unfinished upload of the bucket."""
        return list(self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ()))

    def dumped(self, folder: Path) -> Path:
        """Write every byte that can be had of the remote into files below *folder*, and return it."""
        if self.kind == "folder":
            return Path(self.url)
        folder.mkdir()
        for number, one in enumerate(self.versions()):
            name = one["Key"].replace("/", "+")
            path = folder / f"{number}-{name}"
            if one["marker"]:
                path.write_bytes(b"")
                continue
            got = self.client.get_object(Bucket=self.bucket, Key=one["Key"], VersionId=one["VersionId"])
            path.write_bytes(got["Body"].read())
        return folder


@dataclass(slots=True)
class Case:
    """A project, its remote, and what must be nowhere once the person was erased."""

    project: Project
    store: Store
    tmp: Path
    contents: list[bytes] = field(default_factory=list)
    looks: int = 0

    def plan(self, *more: str, expect: int | None = 0, selected: Iterable[str] = (SELECTED,)) -> Json:
        """Give the document of a plan."""
        paths = [word for path in selected for word in ("--path", path)]
        return self.project.run("--json", "purge", "plan", *paths, *more, expect=expect).json

    def erase(self, *more: str) -> str:
        """Plan and run an erasure of the person; give its name."""
        plan = self.plan(*more)["data"]["plan"]
        return str(self.project.ask("purge", "run", plan)["erasure"])

    def found(self, *projects: Project, others: Iterable[Path] = (), folder: str = PERSON) -> list[str]:
        """Give where anything of the person is found: remote, caches, workspaces, Git, indexes, all of it."""
        self.looks += 1
        places = [self.store.dumped(self.tmp / f"dump{self.looks}")]
        places += [project.root for project in projects or (self.project,)]
        return nowhere(
            [*places, *others],
            contents=[MARKER],
            names=[folder.encode()],
            oids=[digest(BLAKE3, content) for content in self.contents],
        )

    def mate(self, name: str = "mate") -> Project:
        """Give a second clone that has everything."""
        other = self.project.clone(name)
        if self.store.options:
            self.configure_secrets(other)
        other.run("pull")
        return other

    def configure_secrets(self, other: Project) -> None:
        """Give a clone what the local file holds and Git does not."""
        source, target = self.project.local / "config.toml", other.local / "config.toml"
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


def person_files(version: int) -> dict[str, bytes]:
    """Give the person's files of a version: one small, one loose in the cache, in version 2 one large."""
    tail = f"{version}".encode()
    found = {
        f"{FOLDER}/note.txt": MARKER + b"note " + tail + b"\n",
        f"{FOLDER}/photo.bin": MARKER + tail + blob(100 + version, 90_000),
    }
    if version == 2:
        found[f"{FOLDER}/film.bin"] = MARKER + blob(200, LARGE)
    return found


def other_files(version: int) -> dict[str, bytes]:
    """Give what stays."""
    return {
        "data/users/u2/note.txt": b"of somebody else\n",
        "data/users/u2/photo.bin": blob(300, 90_000),
        "data/readme.txt": f"version {version}\n".encode(),
    }


def make_case(tmp: Path, store: Store, keys: Mapping[str, str] | None = None) -> Case:
    """Make a project with three tagged versions, all pushed to *store*; *keys* go into its environment."""
    project = new_project(tmp / "churn", tmp / "home")
    project = replace(project, env={**project.env, **(keys or {})})
    case = Case(project, store, tmp)
    store.configure(project)
    for version in (1, 2, 3):
        files = person_files(version)
        case.contents += files.values()
        gone = project.root / f"{FOLDER}/film.bin"
        if version == 3:
            gone.unlink()
        project.write({**files, **other_files(version)})
        project.record("data", tag=f"v{version}", message=f"Version {version}")
    project.run("push", "--all")
    return case


def folder_store(tmp: Path, name: str = "store") -> Store:
    """Give a folder as the place of a remote."""
    return Store(str(tmp / name), "folder")


def s3_store(server: Server, client: Any, *, versioning: str = "Enabled") -> Store:
    """Give a new bucket, with *versioning* (`Enabled`, `Suspended` or empty)."""
    url = server.fresh_bucket()
    bucket = url.removeprefix("s3://")
    if versioning:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": versioning})
    options = {"endpoint-url": server.endpoint, "region": str(server.options["region"])}
    return Store(f"{url}/store", "s3", client, bucket, options)


def pointers_of(project: Project) -> dict[str, str]:
    """Give the pointer of each tag, byte for byte."""
    return {tag: project.git("show", f"{tag}:data.dv") for tag in ("v1", "v2", "v3")}


def survivors(project: Project, tag: str) -> dict[str, bytes]:
    """Check a version out and give what is in its data folder."""
    project.run("checkout", tag)
    top = project.root / "data"
    return {
        os.fspath(path.relative_to(project.root)): path.read_bytes()
        for path in sorted(top.rglob("*"))
        if path.is_file()
    }


def said(result: Result) -> str:
    """Give all that a run printed, for an assertion's message."""
    return f"{result.exit}\n{result.stdout}\n{result.stderr}"


def until(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until *holds*; fail when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.02)
