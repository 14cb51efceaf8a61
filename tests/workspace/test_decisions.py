"""What is remembered of a conflict that is decided path by path."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.workspace.decisions import Decisions

STAGES = ("a" * 40, "b" * 40, "")
DECIDED = {b"a.txt": "ours", b"\xff \n": "union"}


@pytest.fixture
def decisions(tmp_path: Path) -> Decisions:
    return Decisions(str(tmp_path / "decisions"), Disk())


def test_what_was_decided_is_remembered(decisions: Decisions) -> None:
    decisions.save(b"data", STAGES, DECIDED)

    assert decisions.load(b"data", STAGES) == DECIDED


def test_another_conflict_begins_anew(decisions: Decisions) -> None:
    decisions.save(b"data", STAGES, DECIDED)

    assert decisions.load(b"data", ("a" * 40, "b" * 40, "c" * 40)) == {}


def test_what_is_damaged_counts_as_nothing_decided(decisions: Decisions, tmp_path: Path) -> None:
    decisions.save(b"data", STAGES, DECIDED)
    (file,) = (tmp_path / "decisions").iterdir()
    file.write_bytes(file.read_bytes()[:-5])

    assert decisions.load(b"data", STAGES) == {}


def test_what_was_dropped_is_gone(decisions: Decisions) -> None:
    decisions.save(b"data", STAGES, DECIDED)

    decisions.drop(b"data")
    decisions.drop(b"data")

    assert decisions.load(b"data", STAGES) == {}
