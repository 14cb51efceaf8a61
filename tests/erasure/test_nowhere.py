"""The raw walk that the tests of erasure trust finds what lies in each kind of place."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.hashing import BLAKE3, digest
from dataver.model.names import blob_name, oid_of_digest
from dataver.store.packfile import PackWriter
from tests.erasure.nowhere import nowhere

MARKER = b"Erika Mustermann, born 1964"
TEXT = b" ".join(b"%d" % (n * n) for n in range(500)) + MARKER
"""Many literals, so that a compressor leaves none of them as they are."""
OID = oid_of_digest(BLAKE3, digest(BLAKE3, TEXT))


def in_a_file(folder: Path) -> None:
    (folder / "notes.log").write_bytes(b"x" * 5000 + TEXT)


def in_a_pack(folder: Path) -> None:
    writer = PackWriter(Disk(), str(folder / "pack"))
    writer.add(blob_name(OID), TEXT)
    writer.close()


def in_half_a_pack(folder: Path) -> None:
    in_a_pack(folder)
    whole = (folder / "pack").read_bytes()
    assert MARKER not in whole  # it is compressed
    (folder / "pack").write_bytes(whole[:-80])


def in_a_database(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "state.sqlite")) as connection:
        connection.execute("CREATE TABLE state (key TEXT, value BLOB)")
        connection.execute("INSERT INTO state VALUES (?, ?)", ("a", TEXT))
        connection.commit()


def in_a_loose_git_object(folder: Path) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    argv = ["git", "-C", str(folder), "hash-object", "-w", "--stdin"]
    subprocess.run(argv, input=TEXT, check=True, capture_output=True)


@pytest.mark.parametrize("put", [in_a_file, in_a_pack, in_half_a_pack, in_a_database, in_a_loose_git_object])
def test_content_is_found(put: object, tmp_path: Path) -> None:
    assert nowhere([tmp_path], contents=[MARKER]) == []

    put(tmp_path)  # type: ignore[operator]

    assert nowhere([tmp_path], contents=[MARKER]) != []


def test_a_name_is_found_in_paths_in_hex_and_in_the_target_of_a_link(tmp_path: Path) -> None:
    (tmp_path / "users").mkdir()
    (tmp_path / "users/u1041.txt").write_text("x")
    (tmp_path / "record").write_text(f"missing {b'users/u1041.txt'.hex()}\n")
    (tmp_path / "link").symlink_to("users/u1041.txt")

    found = nowhere([tmp_path], names=[b"u1041"])

    assert sorted({line.split("/")[-1].split(":")[0].split(" ")[0] for line in found}) == [
        "link",
        "record",
        "u1041.txt",
    ]


def test_an_oid_is_found_raw_in_hex_and_as_a_loose_blob(tmp_path: Path) -> None:
    digits = OID[1:].hex()
    (tmp_path / digits[:2]).mkdir()
    (tmp_path / digits[:2] / digits[2:]).write_bytes(b"")
    (tmp_path / "index.columns").write_bytes(b"\0" * 7 + OID)
    (tmp_path / "note").write_text(f"blake3:{digits}")

    assert len(nowhere([tmp_path], oids=[OID])) == 3
