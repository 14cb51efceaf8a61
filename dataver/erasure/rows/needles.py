"""The values whose rows go, and how they are looked for: in cells, in texts, in raw bytes."""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import BinaryIO

from dataver.errors import UsageError

MIN_RAW = 6
"""Bytes of text below which raw bytes are not searched: shorter ones occur by chance."""
_MIN_INTEGER = 1 << 24
"""Integers with fewer than four significant bytes occur everywhere."""
_CHUNK = 1 << 20
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,19}")
_BORDERS = rb"(?<![0-9A-Za-z_])(?:%s)(?![0-9A-Za-z_])"


class Needles:
    """The values, prepared for looking."""

    def __init__(self, values: Collection[str]) -> None:
        """Raises: UsageError for no value, or an empty one."""
        if not values or "" in values:
            raise UsageError("rows are removed by values that are not empty")
        self.texts = frozenset(values)
        self.cells = frozenset(form for value in values for form in _forms(value))
        """The values as bytes of a text file, in UTF-8 and in Windows' Western code page."""
        self.integers = frozenset(
            number
            for value in values
            if _WHOLE.fullmatch(value) and -(1 << 63) <= (number := int(value)) < 1 << 64
        )
        self.uuids = {raw: value for value in values if (raw := _uuid(value))}
        """Of values that are UUIDs, their 16 bytes."""
        spelt = _expression(sorted(self.cells))
        self.anywhere = re.compile(spelt)
        self.as_word = re.compile(_BORDERS % spelt)
        self._raw = {form: value for value in values for form in _forms(value) if len(form) >= MIN_RAW}
        self._raw |= self.uuids
        for number in self.integers:
            if abs(number) >= _MIN_INTEGER:
                self._raw[struct.pack("<q" if number < 1 << 63 else "<Q", number)] = str(number)
        self._in_raw = re.compile(_expression(sorted(self._raw))) if self._raw else None

    def in_text(self, data: bytes) -> frozenset[str]:
        """Return the values that stand in *data* as words."""
        return frozenset(_text(match.group()) for match in self.as_word.finditer(data))

    def in_file(self, file: BinaryIO) -> frozenset[bytes]:
        """Return the raw forms, of six bytes or more, that occur anywhere in *file*."""
        if self._in_raw is None:
            return frozenset()
        found: set[bytes] = set()
        overlap = max(map(len, self._raw)) - 1
        rest = b""
        while chunk := file.read(_CHUNK):
            data = rest + chunk
            found.update(match.group() for match in self._in_raw.finditer(data))
            rest = data[-overlap:]
        return frozenset(found)


def _forms(value: str) -> Iterator[bytes]:
    yield value.encode()
    if not value.isascii():
        try:
            yield value.encode("cp1252")
        except UnicodeEncodeError:
            return


def _uuid(text: str) -> bytes:
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        return b""


def _text(form: bytes) -> str:
    try:
        return form.decode()
    except UnicodeDecodeError:
        return form.decode("cp1252", "replace")


def _expression(words: Sequence[bytes]) -> bytes:
    """Return an expression for any of *words*, ascending: a tree, so that thousands cost little."""
    if len(words) == 1:
        return re.escape(words[0])
    shared = _shared_start(words[0], words[-1])
    if not shared:
        groups = (list(group) for _, group in groupby(words, key=lambda word: word[:1]))
        return b"(?:" + b"|".join(map(_expression, groups)) + b")"
    rest = [word[len(shared) :] for word in words]
    if rest[0]:
        return re.escape(shared) + _expression(rest)
    return re.escape(shared) + b"(?:" + _expression(rest[1:]) + b")?"


def _shared_start(one: bytes, other: bytes) -> bytes:
    size = 0
    while size < min(len(one), len(other)) and one[size] == other[size]:
        size += 1
    return one[:size]
