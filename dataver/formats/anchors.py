"""`.dataver/erasure.toml`: how far each remote's journal was when data was erased, committed with the code.

A clone that never saw a remote notices by it a journal that ends before, or another one.
See docs/format.md, chapter "Erasure records".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from dataver.errors import FormatError, UnsupportedError

FILE = ".dataver/erasure.toml"
MAX_SIZE = 64 * 1024
_HEADER = (
    "# dataver: how far each remote's journal was when data was erased; an older journal is refused\n"
    "version = 1\n"
)
_ROW = '\n[[remote]]\nid = "{id}"\nseq = {seq}\nhash = "{hash}"\n'
_ROW_PATTERN = re.compile(
    r'\n\[\[remote\]\]\nid = "([0-9a-f]{32})"\nseq = ([1-9][0-9]{0,15})\nhash = "([0-9a-f]{64})"\n'
)
_VERSION = re.compile(r"^version = ([0-9]{1,9})$", re.MULTILINE)


class Anchor(NamedTuple):
    """The journal entry of one remote that a clone must find there."""

    seq: int
    entry_hash: bytes


def encode_anchors(anchors: Mapping[str, Anchor]) -> bytes:
    """Return the file's text; *anchors* are by remote id, 32 hex digits."""
    rows = (_ROW.format(id=i, seq=a.seq, hash=a.entry_hash.hex()) for i, a in sorted(anchors.items()))
    return "".join([_HEADER, *rows]).encode()


def decode_anchors(data: bytes) -> dict[str, Anchor]:
    """Return the anchors by remote id.  Raises: FormatError, UnsupportedError."""
    if len(data) > MAX_SIZE:
        raise FormatError(FILE, f"{len(data)} bytes long")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        raise FormatError(FILE, "not ASCII") from error
    version = _VERSION.search(text)
    if version is not None and int(version[1]) != 1:
        raise UnsupportedError(f"{FILE}: version", int(version[1]))
    found = {i: Anchor(int(seq), bytes.fromhex(h)) for i, seq, h in _ROW_PATTERN.findall(text)}
    if encode_anchors(found) != data:
        raise FormatError(FILE, "not the one valid encoding; take the side with the higher numbers")
    return found


def merged(one: Mapping[str, Anchor], other: Mapping[str, Anchor]) -> dict[str, Anchor]:
    """Return for each remote the anchor that is further."""
    found = dict(one)
    for remote_id, anchor in other.items():
        if remote_id not in found or found[remote_id].seq < anchor.seq:
            found[remote_id] = anchor
    return found
