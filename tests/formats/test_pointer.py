from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.errors import DataverError, FormatError, UnsupportedError, UsageError
from dataver.formats.pointer import (
    MAX_SIZE,
    Pointer,
    decode_pointer,
    encode_pointer,
    pointer_of,
    size_text,
    target_of,
)
from tests.formats import samples
from tests.formats.strategies import pointers

GOOD = encode_pointer(samples.NOTED_POINTER)


@given(pointers)
def test_a_pointer_comes_back_as_it_was(pointer: Pointer) -> None:
    assert decode_pointer(encode_pointer(pointer), "x.dv") == pointer


@given(pointers)
def test_a_pointer_is_toml_that_says_the_same(pointer: Pointer) -> None:
    parsed = tomllib.loads(encode_pointer(pointer).decode())

    assert parsed == {
        "version": 1,
        "tree": pointer.root_id.hex(),
        "kind": "directory" if pointer.is_folder else "file",
        "files": pointer.files,
        "size": pointer.size_text,
        **({"note": pointer.note} if pointer.note else {}),
    }


@given(pointers, st.data())
def test_a_changed_byte_is_refused_or_another_pointer(pointer: Pointer, data: st.DataObject) -> None:
    good = bytearray(encode_pointer(pointer))
    place = data.draw(st.integers(0, len(good) - 1))
    good[place] ^= data.draw(st.integers(1, 255))

    try:
        found = decode_pointer(bytes(good), "x.dv")
    except DataverError:
        return
    assert found != pointer
    assert encode_pointer(found) == good


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ((b"version = 1\n", b"version = 01\n"), "version"),
        ((b"files = 9", b"files = 09"), "files"),
        ((b"files = 9", b"files = +9"), "files"),
        ((b'kind = "directory"', b'kind = "folder"'), "kind"),
        ((b'kind = "directory"', b"kind = 'directory'"), "double quotes"),
        ((b"\n[note]\n", b'\nhash = "x"\n[note]\n'), "unknown key 'hash'"),
        ((b"\n[note]\n", b"\n\n[note]\n"), "unknown key"),
        ((b"\n[note]\n", b'\n[note]\nzebra = ""\n'), "not the one valid encoding"),
        ((b"\n", b"\r\n"), "LF alone"),
        ((b'licence = "CC0"', b'licence = "CC0" # free'), "double quotes"),
        ((b'licence = "CC0"', b'licence = "\\u0043C0"'), "not the one valid encoding"),
        ((b"caf\xc3\xa9", b"caf\xe9"), "UTF-8"),
        ((b"9.2 EB", b"9.23 EB"), "size"),
        ((b"# dataver pointer", b"# Dataver pointer"), "first"),
        ((b"size = ", b"Size = "), "line 6"),
    ],
)
def test_another_spelling_is_refused_with_its_reason(change: tuple[bytes, bytes], why: str) -> None:
    bad = GOOD.replace(*change)

    with pytest.raises(FormatError, match=re.escape(why)):
        decode_pointer(bad, "data.dv")


@pytest.mark.parametrize("cut", range(0, len(GOOD), 7))
def test_a_cut_off_pointer_is_refused(cut: int) -> None:
    with pytest.raises(FormatError):
        decode_pointer(GOOD[:cut], "data.dv")


def test_a_later_version_asks_for_an_upgrade() -> None:
    later = b"# whatever a later release writes here\nversion = 2\nroots = []\n"

    with pytest.raises(UnsupportedError) as caught:
        decode_pointer(later, "data.dv")

    assert "upgrade" in caught.value.hint


def test_conflict_markers_are_named_as_what_they_are() -> None:
    conflicted = b"<<<<<<< HEAD\n" + GOOD + b"=======\n" + GOOD + b">>>>>>> other\n"

    with pytest.raises(FormatError, match="conflict markers"):
        decode_pointer(conflicted, "data.dv")


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(FormatError, match="at most"):
        decode_pointer(GOOD + b"#" * MAX_SIZE, "data.dv")


def test_a_note_of_more_than_4_kib_is_refused_on_writing() -> None:
    with pytest.raises(FormatError, match="note"):
        encode_pointer(Pointer(bytes(32), True, 1, "1 B", {"a": "x" * 4096}))


def test_a_note_key_that_needs_quotes_is_refused_on_writing() -> None:
    with pytest.raises(FormatError, match="letters"):
        encode_pointer(Pointer(bytes(32), True, 1, "1 B", {"a b": ""}))


@given(st.integers(0, (1 << 63) - 1))
def test_a_size_never_has_more_than_two_significant_digits(size: int) -> None:
    number, unit = size_text(size).split(" ")

    digits = number.replace(".", "").strip("0")
    shown = float(number) * 1000 ** ("B", "kB", "MB", "GB", "TB", "PB", "EB").index(unit)
    assert len(digits) <= 2
    assert abs(shown - size) <= 0.05 * size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (99, "99 B"),
        (937, "940 B"),
        (995, "1.0 kB"),
        (123_456_789, "120 MB"),
        (3_100_000_000, "3.1 GB"),
    ],
)
def test_sizes_read_well(size: int, text: str) -> None:
    assert size_text(size) == text


def test_a_pointer_lies_beside_its_target() -> None:
    assert pointer_of(b"data/x") == b"data/x.dv"
    assert target_of(b"data/x.dv") == b"data/x"


@pytest.mark.parametrize("path", [b"data/x", b".dv", b"data/.dv", b"x.dv/y"])
def test_what_is_not_named_like_a_pointer_has_no_target(path: bytes) -> None:
    with pytest.raises(UsageError):
        target_of(path)
