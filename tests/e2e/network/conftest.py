"""What the tests over a network share: moto, a proxy before it, and clones with a remote there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.network.team import Team, Template, client_of, make_template, reached
from tests.servers.chaos import Chaos, chaos
from tests.servers.server import Server


@pytest.fixture(scope="session")
def gate(moto_server: Server) -> Iterator[Chaos]:
    """Return the proxy before moto."""
    with chaos(moto_server.endpoint) as proxy:
        yield proxy


@pytest.fixture
def proxy(gate: Chaos) -> Iterator[Chaos]:
    """Return the proxy, without rules, that has seen nothing."""
    gate.heal()
    gate.forget()
    yield gate
    gate.heal()


@pytest.fixture(scope="session")
def network_template(
    moto_server: Server, gate: Chaos, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Template]:
    """Return what `team` copies."""
    top = tmp_path_factory.mktemp("network")
    with client_of(moto_server) as client:
        with reached(moto_server, gate):
            template = make_template(top, moto_server, gate, client)
        yield template


@pytest.fixture
def reaching(moto_server: Server, proxy: Chaos) -> Iterator[None]:
    """Let this process reach moto through the proxy."""
    with reached(moto_server, proxy):
        yield


@pytest.fixture
def team(network_template: Template, reaching: None, tmp_path: Path) -> Team:
    """Return clones and a remote of their own."""
    return network_template.copied(tmp_path)
