"""Lines that an option names: of a file, of stdin, and never of a terminal that nobody types at."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from dataver.cli.reading import given_lines
from dataver.errors import UsageError


class Stdin(io.TextIOWrapper):
    """Stdin with bytes in it, or a terminal."""

    def __init__(self, content: bytes, *, is_terminal: bool = False) -> None:
        super().__init__(io.BytesIO(content))
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def test_lines_come_from_a_file_without_empty_ones(tmp_path: Path) -> None:
    file = tmp_path / "subjects"
    file.write_bytes(b"u1041\r\n\n  \nu7")

    assert given_lines({"--subject-file": str(file)}) == {"--subject-file": ("u1041", "u7")}


def test_a_dash_reads_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(b"data/\xff\n"))

    found = given_lines({"--path-file": "-", "--subject-file": ""})

    assert [os.fsencode(path) for path in found["--path-file"]] == [b"data/\xff"]
    assert found["--subject-file"] == ()


def test_two_options_cannot_share_stdin() -> None:
    with pytest.raises(UsageError, match="--path-file and --subject-file"):
        given_lines({"--path-file": "-", "--subject-file": "-"})


def test_nobody_is_waited_for_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(b"", is_terminal=True))

    with pytest.raises(UsageError, match="terminal"):
        given_lines({"--subject-file": "-"})
