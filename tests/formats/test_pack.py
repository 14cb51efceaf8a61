from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataver.errors import DataverError, FormatError, UnsupportedError
from dataver.formats import codec, pack
from dataver.formats.pack import Row, Table
from dataver.hashing import BLAKE3, digest, xxh3_64
from dataver.model.names import blob_name, oid_of_digest
from tests.formats import samples

GOOD = samples.pack_bytes()
contents = st.lists(
    st.one_of(st.binary(max_size=200), st.text("ab", min_size=100, max_size=300).map(str.encode)), max_size=8
)


def packed(objects: list[bytes], nonce: bytes = bytes(16)) -> bytes:
    """Give a pack of blobs."""
    body = bytearray(pack.HEADER)
    rows: dict[bytes, Row] = {}
    compressor = codec.Compressor()
    for data in objects:
        name = blob_name(oid_of_digest(BLAKE3, digest(BLAKE3, data)))
        if name not in rows:
            kind, stored = compressor.encode(data)
            rows[name] = Row(name, kind, 0, len(body), len(stored), len(data), xxh3_64(stored))
            body += stored
    table = pack.encode_table(nonce, rows.values())
    return bytes(body) + table + pack.encode_footer(table, len(body))


def table_of(rows: list[Row]) -> bytes:
    """Give a table's bytes without any check."""
    return bytes(16) + b"".join(pack._ROW.pack(*row) for row in rows)


def row(content: bytes, **changed: int) -> Row:
    """Give a row that is right but for *changed*."""
    name = blob_name(oid_of_digest(BLAKE3, digest(BLAKE3, content)))
    right = Row(name, codec.STORED, 0, pack.HEADER_SIZE, 10, 10, 0)
    return right._replace(**changed)  # type: ignore[arg-type]


@given(contents)
def test_a_pack_gives_back_every_object(objects: list[bytes]) -> None:
    table, whole = pack.split(packed(objects))

    found = {bytes(codec.decode(r.codec, whole[r.offset : r.offset + r.stored], r.raw)) for r in table.rows()}
    assert found == set(objects)


@given(contents)
def test_an_object_is_found_by_its_name_alone(objects: list[bytes]) -> None:
    table, _ = pack.split(packed(objects))

    assert [table.find(r.name) for r in table.rows()] == list(table.rows())
    assert table.find(blob_name(oid_of_digest(BLAKE3, bytes(32)))) is None


@given(contents, st.data())
def test_a_changed_byte_of_the_table_is_refused(objects: list[bytes], data: st.DataObject) -> None:
    good = packed(objects)
    offset = pack.decode_footer(good[-pack.FOOTER_SIZE :], len(good))[0]
    bad = bytearray(good)
    bad[data.draw(st.integers(offset, len(good) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(DataverError):
        pack.split(bytes(bad))


@given(contents, st.data())
def test_a_changed_byte_of_a_table_without_checksum_changes_its_id(
    objects: list[bytes], data: st.DataObject
) -> None:
    table, _ = pack.split(packed(objects))
    bad = bytearray(table.data)
    bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))

    assert Table(bytes(bad)).pack_id != table.pack_id


def test_the_nonce_makes_two_packs_of_the_same_objects_differ() -> None:
    one, other = (pack.split(packed([b"x"], nonce))[0] for nonce in (bytes(16), b"\x01" * 16))

    assert one.pack_id != other.pack_id


@pytest.mark.parametrize("size", [0, 7, 8, 40, 56, len(GOOD) - 1])
def test_a_truncated_pack_is_refused(size: int) -> None:
    with pytest.raises(FormatError):
        pack.split(GOOD[:size])


@pytest.mark.parametrize("place", [7, len(GOOD) - 1])
def test_a_later_version_asks_for_an_upgrade(place: int) -> None:
    bad = bytearray(GOOD)
    bad[place] += 1

    with pytest.raises(UnsupportedError):
        pack.split(bytes(bad))


@pytest.mark.parametrize(
    "rows",
    [
        [row(b"1", offset=0)],
        [row(b"1", offset=1000)],
        [row(b"1", stored=1000, raw=1000)],
        [row(b"1", stored=(1 << 64) - 1, raw=(1 << 64) - 1)],
        [row(b"1", raw=11)],
        [row(b"1"), row(b"1")],
        sorted([row(b"1"), row(b"2")], reverse=True),
    ],
    ids=["in the header", "behind", "too long", "overflowing", "two sizes", "twice", "out of order"],
)
def test_a_table_that_lies_is_refused(rows: list[Row]) -> None:
    with pytest.raises(FormatError):
        pack.decode_table(table_of(rows), check=None, end=100)


@pytest.mark.parametrize("change", [{"codec": 2}, {"flags": 1}])
def test_an_unknown_codec_or_flag_asks_for_an_upgrade(change: dict[str, int]) -> None:
    with pytest.raises(UnsupportedError):
        pack.decode_table(table_of([row(b"1", **change)]), check=None, end=100)


def test_an_object_is_not_written_twice_into_one_table() -> None:
    with pytest.raises(ValueError, match="twice"):
        pack.encode_table(bytes(16), [row(b"1"), row(b"1")])


def test_no_more_is_allocated_than_the_row_says() -> None:
    frame = bytes(codec.Compressor().encode(b"a" * 1_000_000)[1])

    with pytest.raises(FormatError, match="expected"):
        codec.decode(codec.ZSTD, frame, 10)


def test_bytes_behind_a_frame_are_refused() -> None:
    frame = bytes(codec.Compressor().encode(b"a" * 1000)[1])

    with pytest.raises(FormatError):
        codec.decode(codec.ZSTD, frame + b"hidden", 1000)


@given(st.binary(max_size=200), st.integers(0, 1 << 40))
def test_any_bytes_decode_to_the_promised_size_or_are_refused(stored: bytes, raw: int) -> None:
    for kind in (codec.STORED, codec.ZSTD):
        try:
            assert len(codec.decode(kind, stored, raw)) == raw
        except FormatError:
            pass


def test_what_does_not_compress_is_stored() -> None:
    compressor = codec.Compressor()

    kinds = {compressor.encode(samples.SECRET.tree_key * 1 + bytes(range(224)))[0] for _ in range(100)}
    assert kinds == {codec.STORED}


def test_after_noise_text_is_compressed_again() -> None:
    compressor = codec.Compressor()
    for _ in range(20):
        compressor.encode(bytes(range(256)))

    kinds = [compressor.encode(b"text " * 100)[0] for _ in range(70)]

    assert kinds[-1] == codec.ZSTD
