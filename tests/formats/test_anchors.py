"""`.dataver/erasure.toml`: one valid encoding, a golden file, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.errors import FormatError, UnsupportedError
from dataver.formats.anchors import Anchor, decode_anchors, encode_anchors, merged

GOLDEN = Path(__file__).parent / "golden/v1/erasure.toml"
ANCHORS = {"01" * 16: Anchor(7, b"\x07" * 32), "ab" * 16: Anchor(1_000_000, bytes(range(32)))}


def test_the_golden_note_is_read() -> None:
    assert decode_anchors(GOLDEN.read_bytes()) == ANCHORS
    assert encode_anchors(ANCHORS) == GOLDEN.read_bytes()


def test_a_note_with_conflict_markers_is_refused_and_says_what_to_do() -> None:
    text = GOLDEN.read_text().replace("seq = 7", "<<<<<<< ours\nseq = 7\n=======\nseq = 8\n>>>>>>> theirs")

    with pytest.raises(FormatError, match="higher numbers"):
        decode_anchors(text.encode())


def test_a_note_of_a_later_version_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        decode_anchors(GOLDEN.read_bytes().replace(b"version = 1", b"version = 2"))


def test_of_two_notes_the_further_one_holds() -> None:
    older = {"01" * 16: Anchor(3, b"\x03" * 32)}

    assert merged(older, ANCHORS) == ANCHORS
    assert merged(ANCHORS, older) == ANCHORS
