"""Where the contract of erasers is tried: each storage with a raw way in, past dataver."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from dataver.disk.disk import Disk
from dataver.erasure.eraser import Eraser
from dataver.erasure.erasers import open_eraser
from dataver.store.memory import MemoryBucket
from tests.erasure.google import Google, google
from tests.servers.server import Server, s3_client

PREFIX = "some/prefix"

NO_BUCKET = MemoryBucket()
"""For erasers that ask the storage itself."""


class Place(Protocol):
    """A storage; paths are seen from above the remote, which lies at PREFIX."""

    eraser: Eraser
    keeps_versions: bool
    """Whether what is overwritten or deleted as usual stays."""

    def put(self, path: str, data: bytes) -> None: ...

    def hide(self, path: str) -> None:
        """Delete as everybody deletes: by the name."""

    def raw(self) -> list[tuple[str, bytes]]:
        """Return path and bytes of everything, all versions, sorted; markers with the bytes `-`."""


class FolderPlace:
    keeps_versions = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / PREFIX).mkdir(parents=True)
        self.eraser = open_eraser(f"{folder}/{PREFIX}", {}, NO_BUCKET, Disk())

    def put(self, path: str, data: bytes) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_bytes(data)

    def hide(self, path: str) -> None:
        (self.folder / path).unlink()

    def raw(self) -> list[tuple[str, bytes]]:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return sorted((str(path.relative_to(self.folder)), path.read_bytes()) for path in files)


class MemoryPlace:
    keeps_versions = False

    def __init__(self) -> None:
        url = f"memory://erased-{os.urandom(6).hex()}"
        self.bucket = MemoryBucket(url.removeprefix("memory://"))
        self.eraser = open_eraser(url, {}, self.bucket, Disk())

    def put(self, path: str, data: bytes) -> None:
        # Beside such a remote there is nothing.
        if path.startswith(f"{PREFIX}/"):
            self.bucket.put(path.removeprefix(f"{PREFIX}/"), data)

    def hide(self, path: str) -> None:
        self.bucket.delete([path.removeprefix(f"{PREFIX}/")])

    def raw(self) -> list[tuple[str, bytes]]:
        found = [info.key for info in self.bucket.list("")]
        return sorted((f"{PREFIX}/{key}", self.bucket.get(key)) for key in found)


class S3Place:
    """A bucket; its client is for what dataver never does."""

    def __init__(self, server: Server, *, keeps_versions: bool, has_locks: bool = False) -> None:
        self.keeps_versions = keeps_versions
        self.server = server
        key, secret = str(server.options["access_key_id"]), str(server.options["secret_access_key"])
        self.client: Any = _client(server.endpoint, key, secret)
        self.bucket = f"test-{os.urandom(6).hex()}"
        self.client.create_bucket(Bucket=self.bucket, ObjectLockEnabledForBucket=has_locks)
        self.url = f"s3://{self.bucket}/{PREFIX}"
        self.eraser = self.eraser_at(server)

    def eraser_at(self, server: Server) -> Eraser:
        """Return an eraser that reaches the bucket another way."""
        return open_eraser(self.url, server.options, NO_BUCKET, Disk())

    def versioning(self, status: str) -> None:
        self.client.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": status})

    def put(self, path: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=path, Body=data)

    def hide(self, path: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=path)

    def open_upload(self, path: str, data: bytes) -> str:
        """Begin an upload in parts, and leave it."""
        upload_id = self.client.create_multipart_upload(Bucket=self.bucket, Key=path)["UploadId"]
        self.client.upload_part(Bucket=self.bucket, Key=path, UploadId=upload_id, PartNumber=1, Body=data)
        return str(upload_id)

    def clear(self) -> None:
        """Delete everything, unfinished uploads too."""
        found = self.client.list_object_versions(Bucket=self.bucket)
        for one in (*found.get("Versions", ()), *found.get("DeleteMarkers", ())):
            self.client.delete_object(Bucket=self.bucket, Key=one["Key"], VersionId=one["VersionId"])
        for one in self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ()):
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=one["Key"], UploadId=one["UploadId"])

    def open_uploads(self) -> list[str]:
        return sorted(
            u["Key"] for u in self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ())
        )

    def raw(self) -> list[tuple[str, bytes]]:
        found = self.client.list_object_versions(Bucket=self.bucket)
        versions = [
            (
                v["Key"],
                self.client.get_object(Bucket=self.bucket, Key=v["Key"], VersionId=v["VersionId"])[
                    "Body"
                ].read(),
            )
            for v in found.get("Versions", ())
        ]
        return sorted([*versions, *((m["Key"], b"-") for m in found.get("DeleteMarkers", ()))])


class GooglePlace:
    def __init__(self, server: Google, *, keeps_versions: bool) -> None:
        self.keeps_versions = keeps_versions
        self.server = server
        server.bucket["versioning"] = {"enabled": keeps_versions}
        options = {"endpoint_url": server.endpoint, "anon": True}
        self.eraser = open_eraser(f"gs://bucket/{PREFIX}", options, NO_BUCKET, Disk())

    def put(self, path: str, data: bytes) -> None:
        self.server.put(path, data)

    def hide(self, path: str) -> None:
        self.server.remove(path, None)

    def raw(self) -> list[tuple[str, bytes]]:
        return sorted((g.name, g.data) for g in self.server.generations)


class FakeGcsPlace:
    """A bucket of the emulator without versions: an old generation cannot be deleted there."""

    keeps_versions = False

    def __init__(self, server: Server) -> None:
        url = server.fresh_bucket()
        self.name = url.removeprefix("gs://")
        self.server = server
        # First: it sets what keeps gcsfs from asking emulators what they do not answer.
        self.eraser = open_eraser(f"{url}/{PREFIX}", server.options, NO_BUCKET, Disk())
        import gcsfs  # 0.4 s: only where it is used

        self.fs: Any = gcsfs.GCSFileSystem(
            endpoint_url=server.endpoint, token="anon", use_listings_cache=False, skip_instance_cache=True
        )

    def put(self, path: str, data: bytes) -> None:
        self.fs.pipe_file(f"{self.name}/{path}", data)

    def hide(self, path: str) -> None:
        self.fs.rm_file(f"{self.name}/{path}")

    def raw(self) -> list[tuple[str, bytes]]:
        found = self.fs.find(self.name)
        return sorted((path.partition("/")[2], self.fs.cat_file(path)) for path in found)


_client = functools.cache(s3_client)
"""One for each server: making it takes longer than a test."""

Made = Callable[[pytest.FixtureRequest, Path], contextlib.AbstractContextManager[Place]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A storage in one of its states."""

    made: Made
    versioning: str
    """What `examine` has to find."""
    forgets: bool = False
    """Whether a deletion by the name forgets all versions, and one of a delete marker fails.

    Only in moto, while versioning is suspended; Ceph keeps both as the cloud does.
    """
    marks: tuple[pytest.MarkDecorator, ...] = ()


def on_s3(fixture: str, state: str) -> Made:
    """Return what makes a bucket on the server of a fixture; *state*: `off`, `on` or `suspended`."""

    @contextlib.contextmanager
    def made(request: pytest.FixtureRequest, folder: Path) -> Iterator[S3Place]:
        server = request.getfixturevalue(fixture)
        assert isinstance(server, Server)
        place = S3Place(server, keeps_versions=state != "off")
        if state != "off":
            # The versions named `null`: what was there before.
            place.put(f"{PREFIX}/packs/ab/abc", b"null version")
            place.put(f"{PREFIX}/packs/ab/abcd", b"null neighbour")
            place.versioning("Enabled")
        yield place

    return made


def _folder(request: pytest.FixtureRequest, folder: Path) -> contextlib.AbstractContextManager[Place]:
    return contextlib.nullcontext(FolderPlace(folder / "storage"))


def _memory(request: pytest.FixtureRequest, folder: Path) -> contextlib.AbstractContextManager[Place]:
    return contextlib.nullcontext(MemoryPlace())


def _fake_gcs(request: pytest.FixtureRequest, folder: Path) -> contextlib.AbstractContextManager[Place]:
    return contextlib.nullcontext(FakeGcsPlace(request.getfixturevalue("gcs_server")))


def _on_google(*, keeps_versions: bool) -> Made:
    @contextlib.contextmanager
    def made(request: pytest.FixtureRequest, folder: Path) -> Iterator[GooglePlace]:
        with google() as server:
            yield GooglePlace(server, keeps_versions=keeps_versions)

    return made


_CEPH = (pytest.mark.ceph,)

KINDS: dict[str, Kind] = {
    "folder": Kind(_folder, "off"),
    "memory": Kind(_memory, "off"),
    "moto-off": Kind(on_s3("moto_server", "off"), "off"),
    "moto-on": Kind(on_s3("moto_server", "on"), "on"),
    "moto-suspended": Kind(on_s3("moto_server", "suspended"), "suspended", forgets=True),
    "ceph-off": Kind(on_s3("ceph_server", "off"), "off", marks=_CEPH),
    "ceph-on": Kind(on_s3("ceph_server", "on"), "on", marks=_CEPH),
    "ceph-suspended": Kind(on_s3("ceph_server", "suspended"), "suspended", marks=_CEPH),
    "fake-gcs": Kind(_fake_gcs, "off"),
    "google-off": Kind(_on_google(keeps_versions=False), "off"),
    "google-on": Kind(_on_google(keeps_versions=True), "on"),
}
