"""Ten million objects on a remote: few requests for a few, bounded memory for many."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.scale
_MOST_MEMORY = 256 << 20


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Generate the remote, use it, and return what each step printed."""
    folder = tmp_path_factory.mktemp("ten-million")
    found: dict[str, Any] = {}
    for step in ("generate", "read", "write"):
        argv = [sys.executable, "-m", "tests.store.ten_million", step, str(folder)]
        top = Path(__file__).resolve().parents[2]
        done = subprocess.run(argv, cwd=top, capture_output=True, text=True, timeout=900, check=True)
        found[step] = json.loads(done.stdout)
    return found


def test_a_few_objects_of_ten_million_are_found_without_reading_a_segment(figures: dict[str, Any]) -> None:
    few = figures["read"]["few"]

    assert few["requests"] <= 7 * figures["generate"]["segments"]
    assert few["received"] <= 1 << 20


def test_a_hundred_thousand_objects_are_found_within_the_memory_limit(figures: dict[str, Any]) -> None:
    many = figures["read"]["many"]

    assert many["names"] >= 99_000
    assert many["memory"]["anonymous"] <= _MOST_MEMORY


def test_a_checkpoint_is_written_within_the_memory_limit(figures: dict[str, Any]) -> None:
    written = figures["write"]

    assert written["states"] >= 1
    assert written["memory"]["anonymous"] <= _MOST_MEMORY
