"""Sandboxes: a work tree with a small folder tracked, committed and tagged v1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workspace.sandbox import SMALL, Sandbox, new_sandbox


@pytest.fixture
def box(tmp_path: Path, isolated_machine: Path) -> Sandbox:
    """Return a work tree with `data/` of six files as v1."""
    return new_sandbox(tmp_path / "work", SMALL)


@pytest.fixture
def empty_box(tmp_path: Path, isolated_machine: Path) -> Sandbox:
    """Return a work tree in which nothing is tracked yet."""
    return new_sandbox(tmp_path / "work")
