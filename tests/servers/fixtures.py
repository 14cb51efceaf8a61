"""Each server as a fixture: started when the first test of a process asks for it, ended with the last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.ceph import ceph, missing_programs
from tests.servers.fake_gcs import fake_gcs
from tests.servers.moto import moto
from tests.servers.rclone import rclone
from tests.servers.server import Server


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return S3 as moto plays it."""
    with moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return Google Cloud Storage as fake-gcs-server plays it."""
    with fake_gcs(tmp_path_factory.mktemp("gcs")) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return an S3 that ignores If-None-Match."""
    with rclone(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture(scope="session")
def ceph_server() -> Iterator[Server]:
    """Return S3 as Ceph's gateway speaks it; only tests with the mark `ceph` may ask for it."""
    missing = missing_programs()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; `make test-s3` installs Ceph")
    with ceph() as server:
        yield server
