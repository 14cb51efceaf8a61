"""The kinds of bucket that keep the contract: one line each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.store.bucket import DEFAULT_TIMEOUT_S, Bucket, probe
from dataver.store.cloud import FsspecBucket
from dataver.store.folder import FolderBucket
from dataver.store.memory import MemoryBucket
from dataver.store.objects import open_objects
from dataver.store.url import arguments_of
from tests.servers.server import Server


@dataclass(frozen=True, slots=True)
class Place:
    """Where a test's bucket lies."""

    url: str
    """Empty for the kinds that need no server."""
    options: Mapping[str, object]
    folder: Path


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """An implementation, and the server behind it."""

    opened: Callable[[Place], Bucket]
    server: str = ""
    """Its fixture; empty for none."""
    marks: tuple[pytest.MarkDecorator, ...] = ()
    has_create_if_absent: bool = True
    """What the probe has to find."""


def open_fsspec(place: Place) -> Bucket:
    """Return the bucket as fsspec carries it."""
    scheme = place.url.partition("://")[0]
    return FsspecBucket(place.url, arguments_of(scheme, place.options))


def open_obstore(place: Place) -> Bucket:
    """Return the bucket as obstore carries it."""
    found = open_objects(place.url, place.options, timeout_s=DEFAULT_TIMEOUT_S)
    assert found is not None
    return found


_CEPH = (pytest.mark.ceph,)

LOCAL: dict[str, Kind] = {
    "memory": Kind(lambda _: MemoryBucket()),
    "folder": Kind(lambda place: FolderBucket(f"{place.folder}/bucket", Disk())),
    "fsspec-memory": Kind(lambda _: FsspecBucket(f"memory://test-{os.urandom(8).hex()}", {})),
    "fsspec-file": Kind(
        lambda place: FsspecBucket(f"file://{place.folder}/bucket", {}), has_create_if_absent=False
    ),
}
SERVED: dict[str, Kind] = {
    "s3fs-moto": Kind(open_fsspec, "moto_server"),
    "obstore-moto": Kind(open_obstore, "moto_server"),
    "s3fs-rclone": Kind(open_fsspec, "rclone_server", has_create_if_absent=False),
    "obstore-rclone": Kind(open_obstore, "rclone_server", has_create_if_absent=False),
    "gcsfs-fake": Kind(open_fsspec, "gcs_server"),
    "s3fs-ceph": Kind(open_fsspec, "ceph_server", _CEPH),
    "obstore-ceph": Kind(open_obstore, "ceph_server", _CEPH),
}

_OPEN: dict[Kind, Bucket] = {}


def parameters(*kinds: Mapping[str, Kind]) -> list[object]:
    """Return what a fixture is parametrised with."""
    return [pytest.param(kind, id=name, marks=kind.marks) for each in kinds for name, kind in each.items()]


def opened(kind: Kind, request: pytest.FixtureRequest, folder: Path) -> Iterator[Bucket]:
    """Yield an empty bucket of *kind* that knows what a remote would know of it.

    On a server it is the same one for all tests of a process, emptied after each: a client of s3fs
    takes a quarter of a second to open.
    """
    if not kind.server:
        bucket = kind.opened(Place("", {}, folder))
        bucket.prepare()
        yield bucket
        return
    if kind not in _OPEN:
        bucket = kind.opened(place_of(kind, request))
        # As a remote does where the probe found that a condition is ignored.
        bucket.has_create_if_absent = probe(bucket).has_create_if_absent
        _OPEN[kind] = bucket
    yield _OPEN[kind]
    _OPEN[kind].delete([info.key for info in _OPEN[kind].list("")])


def place_of(kind: Kind, request: pytest.FixtureRequest) -> Place:
    """Return a new, empty place on the server of *kind*."""
    server = server_of(kind, request)
    return Place(f"{server.fresh_bucket()}/some/prefix", server.options, Path())


def server_of(kind: Kind, request: pytest.FixtureRequest) -> Server:
    """Return the server behind *kind*, started when nobody asked for it before."""
    server = request.getfixturevalue(kind.server)
    assert isinstance(server, Server)
    return server
