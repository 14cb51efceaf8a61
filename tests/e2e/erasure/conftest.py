"""The project of the erasure tests, over a folder and over versioned buckets of two servers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import environment
from tests.e2e.erasure.bench import Case, Store, folder_store, make_case, s3_store
from tests.e2e.project import Project
from tests.servers.ceph import KEY, SECRET
from tests.servers.chaos import Chaos, chaos
from tests.servers.server import Server, s3_client


@pytest.fixture(scope="session")
def s3(moto_server: Server) -> Iterator[Any]:
    """Give a boto3 client of moto, past dataver."""
    client = s3_client(moto_server.endpoint, "testkey", "testsecret")
    yield client
    client.close()


@pytest.fixture
def gate(moto_server: Server) -> Iterator[Chaos]:
    """Give a proxy before moto, without rules."""
    with chaos(moto_server.endpoint) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def folder_template(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give the project over a folder that `folder_case` copies."""
    top = tmp_path_factory.mktemp("erasure")
    return make_case(top, folder_store(top))


@pytest.fixture
def folder_case(folder_template: Case, tmp_path: Path) -> Case:
    """Give a project of its own whose remote is a folder."""
    shutil.copytree(folder_template.tmp, tmp_path, symlinks=True, dirs_exist_ok=True)
    project = Project(tmp_path / "churn", environment(tmp_path / "home"))
    return Case(project, folder_store(tmp_path), tmp_path, list(folder_template.contents))


@pytest.fixture
def s3_case(moto_server: Server, s3: Any, tmp_path: Path) -> Case:
    """Give a project of its own whose remote is a versioned bucket."""
    return with_keys(moto_server, tmp_path, s3_store(moto_server, s3))


@pytest.fixture(scope="session")
def ceph_s3(ceph_server: Server) -> Iterator[Any]:
    """Give a boto3 client of Ceph's gateway, past dataver."""
    client = s3_client(ceph_server.endpoint, KEY, SECRET)
    yield client
    client.close()


@pytest.fixture
def ceph_case(ceph_server: Server, ceph_s3: Any, tmp_path: Path) -> Case:
    """Give a project of its own whose remote is a versioned bucket of Ceph's."""
    return with_keys(ceph_server, tmp_path, s3_store(ceph_server, ceph_s3))


def with_keys(server: Server, tmp_path: Path, store: Store) -> Case:
    """Give a project whose programs have the server's keys in their environment."""
    keys = {name: value for name, value in server.environment.items() if name != "AWS_ENDPOINT_URL"}
    return make_case(tmp_path, store, keys)


@pytest.fixture(params=["folder", "s3", pytest.param("ceph", marks=pytest.mark.ceph)])
def case(request: pytest.FixtureRequest) -> Case:
    """Give a project over a folder, and one over a versioned bucket of each server."""
    found = request.getfixturevalue(f"{request.param}_case")
    assert isinstance(found, Case)
    return found
