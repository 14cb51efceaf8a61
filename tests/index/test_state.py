"""The state file is disposable: where it cannot be kept, nobody waits and nothing is printed."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataver.index.state import State


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Let no file of this process grow beyond 8 KiB, as a disk without room would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_value_is_kept(tmp_path: Path) -> None:
    State(str(tmp_path / "state.sqlite")).put("key", b"value")

    assert State(str(tmp_path / "state.sqlite")).get("key") == b"value"


def test_a_state_that_finds_no_room_is_given_up_without_waiting(
    tmp_path: Path, full_disk: None, capfd: pytest.CaptureFixture[str]
) -> None:
    state = State(str(tmp_path / "state.sqlite"))

    state.put("key", bytes(100_000))

    assert state.get("key") is None
    assert capfd.readouterr().err == ""
