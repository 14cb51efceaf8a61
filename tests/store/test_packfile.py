"""A pack as a local file: read back by rows, dropped when it is not finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.errors import DataverError, FormatError
from dataver.hashing import BLAKE3, digest
from dataver.model.names import ObjectName, blob_name, oid_of_digest
from dataver.store.packfile import PackReader, PackWriter


def _name(data: bytes) -> ObjectName:
    return blob_name(oid_of_digest(BLAKE3, digest(BLAKE3, data)))


def test_what_was_added_is_read_back(tmp_path: Path) -> None:
    contents = [b"", b"one", b"z" * 200_000, bytes(range(256)) * 10]
    writer = PackWriter(Disk(), str(tmp_path / "pack"))
    for content in contents:
        writer.add(_name(content), content)
        writer.add(_name(content), content)
    written = writer.close()

    reader = PackReader(str(tmp_path / "pack"))
    table = reader.table()
    found = {row.name: bytes(reader.read(row)) for row in table.rows()}
    reader.close()

    assert found == {_name(c): c for c in contents}
    assert written.size == (tmp_path / "pack").stat().st_size
    assert table.pack_id == written.pack_id


def test_an_aborted_pack_leaves_no_file(tmp_path: Path) -> None:
    writer = PackWriter(Disk(), str(tmp_path / "pack"))
    writer.add(_name(b"x"), b"x")
    writer.abort()
    writer.abort()

    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    class Full(Disk):
        def write(self, fd: int, data: bytes | bytearray | memoryview) -> None:
            raise OSError(28, "No space left on device")

    writer = PackWriter(Full(), str(tmp_path / "pack"))
    writer.add(_name(b"x"), b"x")

    with pytest.raises(DataverError) as caught:
        writer.close()

    assert caught.value.code == "disk-full"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 7, 30, -1])
def test_a_truncated_pack_is_refused(tmp_path: Path, size: int) -> None:
    writer = PackWriter(Disk(), str(tmp_path / "pack"))
    writer.add(_name(b"content"), b"content")
    writer.close()
    data = (tmp_path / "pack").read_bytes()
    (tmp_path / "pack").write_bytes(data[:size])
    reader = PackReader(str(tmp_path / "pack"))

    with pytest.raises(FormatError):
        reader.table()

    reader.close()
