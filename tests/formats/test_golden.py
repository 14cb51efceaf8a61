"""Bytes that every release must read; see tests/formats/make_golden.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataver.erasure.signatures import SshKeygen
from dataver.formats import codec, pack
from dataver.formats.erasure import decode_signed
from dataver.formats.keys import decode_secret
from dataver.formats.pointer import decode_pointer
from dataver.formats.recipe import cut_chunks, decode_recipe
from dataver.formats.root import decode_root
from dataver.formats.tree import decode_leaf
from tests.formats import samples
from tests.formats.stream import stream

GOLDEN = Path(__file__).parent / "golden" / "v1"


def read(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


@pytest.mark.parametrize("name", sorted(set(samples.golden()) - {"pack"}))
def test_the_same_value_is_still_written_as_the_same_bytes(name: str) -> None:
    assert samples.golden()[name] == read(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pointer-folder.dv", samples.POINTER),
        ("pointer-file.dv", samples.FILE_POINTER),
        ("pointer-note.dv", samples.NOTED_POINTER),
    ],
)
def test_a_golden_pointer_is_read(name: str, expected: object) -> None:
    assert decode_pointer(read(name), name) == expected


def test_the_golden_secret_gives_the_same_keys() -> None:
    secret = decode_secret(read("keys.toml"), "keys.toml")

    assert secret == samples.SECRET
    assert secret.tree_key.hex() == "87ded5546bcfa54d5fb445d65deba006626a869c5b9bd6319ce94950665bce11"
    assert secret.deny_key.hex() == "7890fdf6e55df2d3fa90833f0e0bc9f67dd5d71da552cf5fbefee1970997e611"


@pytest.mark.parametrize(
    ("name", "leaf_id", "shown"),
    [
        ("leaf-intact", "37fee1175f850f20f9e07eff1b8b8ed2af3554402c99df142206b52e12b2308d", 9),
        ("leaf-redacted", "37fee1175f850f20f9e07eff1b8b8ed2af3554402c99df142206b52e12b2308d", 7),
        ("leaf-replaced", "37fee1175f850f20f9e07eff1b8b8ed2af3554402c99df142206b52e12b2308d", 8),
        ("leaf-extended", "fd2dc107d519e842eaa989393da0f9665b9850929321656f4cadca5384a5c581", 2),
    ],
)
def test_a_golden_leaf_verifies_against_its_id(name: str, leaf_id: str, shown: int) -> None:
    leaf = decode_leaf(read(name), bytes.fromhex(leaf_id))

    assert len(leaf.view) == shown


def test_the_golden_leaf_shows_its_entries() -> None:
    leaf = decode_leaf(read("leaf-intact"), samples.leaf_of(samples.ENTRIES)[0])

    assert leaf.view == list(samples.ENTRIES)


@pytest.mark.parametrize(("name", "guide"), [("root", (b"", b"x")), ("root-blank-guide", ())])
def test_a_golden_root_verifies_with_and_without_its_guide(name: str, guide: tuple[bytes, ...]) -> None:
    root = decode_root(
        read(name), bytes.fromhex("0778053afe0248ddbee61cd31d97a1138bec200f92723c3154eb119163158410")
    )

    assert root.guide == guide
    assert root.count == 11


def test_the_golden_pack_gives_back_every_object() -> None:
    table, whole = pack.split(read("pack"))

    found = {
        row.name: bytes(codec.decode(row.codec, whole[row.offset : row.offset + row.stored], row.raw))
        for row in table.rows()
    }
    assert found == samples.PACKED


def test_the_golden_pack_has_the_same_id() -> None:
    table, _ = pack.split(read("pack"))

    assert table.pack_id.hex() == "ddf427f75af89e8dc0ea5eb2f29163ea0ffff2d85c0b168eba529566c1de1f9d"


def test_a_golden_table_is_written_as_the_same_bytes() -> None:
    table, _ = pack.split(read("pack"))

    assert pack.encode_table(bytes(table.data[:16]), table.rows()) == table.data


@pytest.mark.parametrize(
    ("name", "expected"), [("recipe", samples.RECIPE), ("recipe-xxh128", samples.QUICK_RECIPE)]
)
def test_a_golden_recipe_is_read(name: str, expected: object) -> None:
    assert decode_recipe(read(name)) == expected


def test_large_files_are_cut_where_every_release_cuts_them() -> None:
    lengths = [length for _, length in cut_chunks(stream(32 << 20))]

    assert lengths == json.loads(read("cut-points.json"))


@pytest.mark.parametrize("kind", sorted(samples.RECORDS))
def test_a_golden_record_is_read(kind: str) -> None:
    signed = decode_signed(read(f"record-{kind}.json"), kind, "golden")

    assert signed.record == samples.RECORDS[kind]


def test_the_golden_signatures_verify() -> None:
    signed = decode_signed(read("record-signers.json"), "signers", "golden")

    assert [SshKeygen().is_valid(signed.signed, s) for s in signed.signatures] == [True, True]
