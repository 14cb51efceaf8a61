"""The buckets that need no server, empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dataver.store.bucket import Bucket
from tests.store import kinds
from tests.store.kinds import Kind


@pytest.fixture(params=kinds.parameters(kinds.LOCAL))
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bucket]:
    """Return an empty bucket of each kind in turn."""
    assert isinstance(request.param, Kind)
    yield from kinds.opened(request.param, request, tmp_path)
