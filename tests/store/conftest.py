"""The buckets of every kind, empty."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.store.bucket import Bucket
from dataver.store.cloud import FsspecBucket
from dataver.store.folder import FolderBucket
from dataver.store.memory import MemoryBucket


def _memory(_: Path) -> Bucket:
    return MemoryBucket()


def _folder(tmp_path: Path) -> Bucket:
    return FolderBucket(str(tmp_path / "bucket"), Disk())


def _fsspec_memory(_: Path) -> Bucket:
    return FsspecBucket(f"memory://test-{os.urandom(8).hex()}", {})


def _fsspec_file(tmp_path: Path) -> Bucket:
    return FsspecBucket(f"file://{tmp_path}/bucket", {})


BUCKETS: dict[str, Callable[[Path], Bucket]] = {
    "memory": _memory,
    "folder": _folder,
    "fsspec-memory": _fsspec_memory,
    "fsspec-file": _fsspec_file,
}


@pytest.fixture(params=sorted(BUCKETS))
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    """Return an empty bucket of each kind in turn."""
    made = BUCKETS[request.param](tmp_path)
    made.prepare()
    return made
