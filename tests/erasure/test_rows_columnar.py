"""Rows out of Parquet and Arrow: the rest is equal, and no byte of the new file holds the value."""

from __future__ import annotations

import decimal
import io
import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from dataver.erasure.rows.arrow import compression_of
from dataver.erasure.rows.kinds import Rewritten, TableKind, kind_of
from dataver.erasure.rows.rewriting import examine, rewrite
from dataver.errors import RowsLeftError, UnreadableTableError
from tests.erasure.tables import (
    GONE,
    NUMBER,
    OTHERS,
    naive_parquet,
    pandas_note,
    table,
    without,
    write_arrow,
    write_feather,
    write_parquet,
)

PARQUET = TableKind.PARQUET


def _read(path: Path) -> Any:
    match kind_of(b"x.arrow", path.read_bytes()[:64]):
        case TableKind.PARQUET:
            return pq.read_table(path)
        case TableKind.ARROW_FILE:
            return pa.ipc.open_file(io.BytesIO(path.read_bytes())).read_all()
        case _:
            return pa.ipc.open_stream(io.BytesIO(path.read_bytes())).read_all()


def _without(path: Path, *values: str, key: str = "user_id") -> tuple[Path, Rewritten]:
    kind = kind_of(b"x.arrow", path.read_bytes()[:64])
    assert kind is not None
    out = path.with_name("out")
    return out, rewrite(str(path), str(out), kind, key, values)


# -- Parquet ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip", "brotli", "lz4"])
def test_the_other_rows_of_a_parquet_file_are_equal_and_its_bytes_lack_the_value(
    tmp_path: Path, compression: str
) -> None:
    before = table(metadata=pandas_note(40))
    path = write_parquet(tmp_path / "x", before, compression=compression)

    out, done = _without(path, GONE)

    after = _read(out)
    codecs = [pq.read_metadata(p).row_group(0).column(0).compression for p in (path, out)]
    assert done == Rewritten(10, 30)
    assert after.to_pylist() == without(before)
    assert after.schema.equals(before.schema)
    assert after.schema.field("score").metadata == {b"unit": b"points"}
    assert codecs[0] == codecs[1]
    assert GONE.encode() not in out.read_bytes()


def test_a_note_that_holds_the_value_goes_and_others_stay(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x", table(metadata=pandas_note(40)))

    out, _ = _without(path, GONE)

    notes = _read(out).schema.metadata
    assert set(notes) == {b"pandas", b"source"}
    assert json.loads(notes[b"pandas"])["index_columns"][0]["stop"] == 30


@pytest.mark.parametrize("metadata", [None, pandas_note(40)])
def test_a_naive_rewrite_is_caught(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = naive_parquet(tmp_path / "x", table(metadata=metadata))

    with pytest.raises(RowsLeftError, match="dictionary page of category"):
        examine(str(path), PARQUET, [GONE])


def test_a_value_that_is_left_in_metadata_alone_is_caught_though_it_stands_in_base64(tmp_path: Path) -> None:
    whole = table(metadata={"subjects": GONE}).drop_columns(["category"])
    path = naive_parquet(tmp_path / "x", whole)

    with pytest.raises(RowsLeftError, match="metadata"):
        examine(str(path), PARQUET, [GONE])


def test_statistics_that_hold_the_value_are_caught(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "x", pa.table({"user_id": ["a", GONE]}), use_dictionary=False, compression="none"
    )
    # Written over in its page and not in the footer, as a careless patch of bytes would leave it.
    data = path.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    path.write_bytes(data[:footer].replace(GONE.encode(), b"x" * len(GONE)) + data[footer:])

    with pytest.raises(RowsLeftError, match="statistics of user_id"):
        examine(str(path), PARQUET, [GONE])


def test_bytes_between_the_row_groups_are_looked_through(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x", pa.table({"n": [1, 2]}))
    data = path.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    path.write_bytes(data[: -8 - size] + GONE.encode() + data[-8 - size :])

    with pytest.raises(RowsLeftError, match="bytes"):
        examine(str(path), PARQUET, [GONE])


def test_a_table_that_holds_the_value_in_its_categories_alone_is_said_to_hold_it(tmp_path: Path) -> None:
    path = naive_parquet(tmp_path / "x", table())

    out, done = _without(path, GONE)

    assert (done.rows_removed, done.held_values) == (0, True)
    assert GONE.encode() not in out.read_bytes()


def test_a_table_without_the_value_is_said_not_to_hold_it(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x", table())

    assert _without(path, "user-nobody")[1] == Rewritten(0, 40, (), held_values=False)


def test_a_value_in_other_rows_is_told_and_is_no_error(tmp_path: Path) -> None:
    whole = pa.table(
        {
            "user_id": [GONE, OTHERS[0], OTHERS[1]],
            "referred_by": pa.array([None, GONE, None]).dictionary_encode(),
            "note": ["", "", f"called {GONE}."],
            "clean": [GONE, "", ""],
        }
    )
    path = write_parquet(tmp_path / "x", whole)

    assert _without(path, GONE)[1].residue == ("note", "referred_by")


def test_all_rows_may_go(tmp_path: Path) -> None:
    whole = table()
    path = write_parquet(tmp_path / "x", whole)

    out, done = _without(path, GONE, *OTHERS)

    assert (done.rows_removed, _read(out).num_rows) == (40, 0)
    assert _read(out).schema.equals(whole.schema)


def test_the_order_of_ordered_categories_stays(tmp_path: Path) -> None:
    kind = pa.dictionary(pa.int8(), pa.string(), ordered=True)
    sizes = pa.DictionaryArray.from_arrays(
        pa.array([3, 0, 2, None], pa.int8()), ["S", "M", "L", GONE], ordered=True
    )
    path = write_parquet(tmp_path / "x", pa.table({"user_id": sizes, "n": [0, 1, 2, 3]}))

    out, _ = _without(path, GONE)

    column = _read(out)["user_id"]
    assert (column.type, column.to_pylist()) == (kind, ["S", "L", None])
    assert column.chunk(0).dictionary.to_pylist() == ["S", "L"]


def test_categories_inside_structs_and_lists_are_made_anew(tmp_path: Path) -> None:
    category = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([("who", pa.struct([("id", category)])), ("all", pa.list_(category))])
    rows = [{"who": {"id": user}, "all": [user]} for user in (GONE, *OTHERS)]
    path = write_arrow(tmp_path / "x", pa.Table.from_pylist(rows, schema))

    out, _ = _without(path, GONE, key="who.id")

    assert _read(out).to_pylist() == rows[1:]
    assert GONE.encode() not in out.read_bytes()


# -- Keys of every type -------------------------------------------------------------------------------

_UUID = uuid.UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
KEYS: dict[str, tuple[Any, str]] = {
    "int64": (pa.array([NUMBER, 5, None]), str(NUMBER)),
    "uint8": (pa.array([41, 5, None], pa.uint8()), "41"),
    "float": (pa.array([1041.0, 1041.5, None]), "1041"),
    "decimal": (pa.array([decimal.Decimal("1041.00"), decimal.Decimal("5"), None]), "1041"),
    "large string": (pa.array([GONE, "b", None], pa.large_string()), GONE),
    "binary": (pa.array([GONE.encode(), b"b", None]), GONE),
    "uuid bytes": (pa.array([_UUID.bytes, bytes(16), None], pa.binary(16)), str(_UUID)),
    "category of numbers": (pa.array([NUMBER, 5, None]).dictionary_encode(), str(NUMBER)),
    "list": (pa.array([["a", GONE], ["a"], None]), GONE),
    "date": (pa.array([1, 2, None], pa.date32()), "1970-01-02"),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_of_any_type_is_compared_as_text(tmp_path: Path, name: str) -> None:
    column, value = KEYS[name]
    path = write_parquet(tmp_path / "x", pa.table({"key": column, "n": [0, 1, 2]}))

    out, done = _without(path, value, key="key")

    assert done.rows_removed == 1
    assert _read(out)["n"].to_pylist() == [1, 2]


def test_no_byte_of_a_large_number_is_left(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x", table(), compression="none")

    out, _ = _without(path, str(NUMBER), key="number")

    raw = NUMBER.to_bytes(8, "little")
    assert raw in path.read_bytes()
    assert raw not in out.read_bytes()


def test_a_name_with_dots_is_a_column_or_a_field(tmp_path: Path) -> None:
    whole = pa.table({"a.b": ["u1", "u2"], "c": [{"d": "u2"}, {"d": "u1"}]})
    path = write_parquet(tmp_path / "x", whole)

    removed = [_read(_without(path, "u1", key=key)[0])["a.b"].to_pylist() for key in ("a.b", "c.d")]

    assert removed == [["u2"], ["u1"]]


@pytest.mark.parametrize("key", ["nobody", "place.nowhere", "user_id.x"])
def test_a_key_that_no_column_has_is_refused(tmp_path: Path, key: str) -> None:
    path = write_parquet(tmp_path / "x", table())

    with pytest.raises(UnreadableTableError, match=key):
        _without(path, GONE, key=key)


@pytest.mark.parametrize("cut", [20, 400])
def test_a_damaged_table_is_refused(tmp_path: Path, cut: int) -> None:
    path = write_parquet(tmp_path / "x", table())
    path.write_bytes(path.read_bytes()[:-cut])

    with pytest.raises(UnreadableTableError):
        _without(path, GONE)


INNOCENT: dict[str, tuple[Any, str]] = {
    "floats": (pa.array([5.0, 6.0, 7.5]), "5"),
    "dates": (pa.array([19_000, 1, None], pa.date32()), "19000"),
    "dates as text": (pa.array([19_000, 1, None], pa.date32()), "2022-01-08"),
    "times": (pa.array([NUMBER, 1, None], pa.timestamp("us")), str(NUMBER)),
    "decimals": (pa.array([decimal.Decimal("10.41"), decimal.Decimal("2"), None]), "1041"),
    "switches": (pa.array([True, True, None]), "1"),
    "small integers": (pa.array([7, 8, None], pa.int8()), "7"),
    "uuids": (pa.array([_UUID.bytes, bytes(16), None], pa.binary(16)), str(_UUID).upper()),
    "text in a row": (pa.array([f"{GONE}x", f"x{GONE}", None]), GONE),
}
"""Columns whose rows stay, and a value that looks like something in them."""


@pytest.mark.parametrize("name", INNOCENT)
@pytest.mark.parametrize("is_parquet", [True, False])
def test_what_only_looks_like_a_value_or_stands_in_rows_that_stay_is_no_error(
    tmp_path: Path, name: str, is_parquet: bool
) -> None:
    column, value = INNOCENT[name]
    whole = pa.table({"key": ["a", "b", value], "other": column})
    path = tmp_path / "x"
    if is_parquet:
        write_parquet(path, whole, compression="none")
    else:
        write_arrow(path, whole)

    out, done = _without(path, value, key="key")

    assert done.rows_removed == 1
    assert _read(out)["other"].to_pylist() == column.to_pylist()[:2]


# -- Arrow --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("is_stream", [False, True])
def test_the_other_rows_of_an_arrow_file_or_stream_are_equal_and_its_bytes_lack_the_value(
    tmp_path: Path, is_stream: bool, compression: str | None
) -> None:
    before = table(metadata=pandas_note(40))
    path = write_arrow(tmp_path / "x", before, is_stream=is_stream, compression=compression)

    out, done = _without(path, GONE)

    after = _read(out)
    assert done == Rewritten(10, 30)
    assert after.to_pylist() == without(before)
    assert after.schema.equals(before.schema)
    assert compression_of(str(out), is_stream=is_stream) == compression
    assert GONE.encode() not in out.read_bytes()


def test_feather_is_rewritten(tmp_path: Path) -> None:
    before = table()
    path = write_feather(tmp_path / "x", before)

    out, _ = _without(path, GONE)

    assert _read(out).to_pylist() == without(before)
    assert compression_of(str(out), is_stream=False) == "lz4"


def test_a_dictionary_that_keeps_the_category_is_caught_in_an_arrow_file(tmp_path: Path) -> None:
    whole = table()
    path = write_arrow(tmp_path / "x", whole.filter(pc.not_equal(whole["user_id"], GONE)))

    with pytest.raises(RowsLeftError, match="dictionary"):
        examine(str(path), TableKind.ARROW_FILE, [GONE])


def _hidden() -> Any:
    """Give numbers of which the second is null, while its bytes stay."""
    data = pa.py_buffer(b"".join(n.to_bytes(8, "little") for n in (1, NUMBER, 3)))
    return pa.Array.from_buffers(pa.int64(), 3, [pa.py_buffer(b"\x05"), data])


def test_a_value_under_a_null_is_caught(tmp_path: Path) -> None:
    path = write_arrow(tmp_path / "x", pa.table({"n": _hidden()}))

    with pytest.raises(RowsLeftError, match="null"):
        examine(str(path), TableKind.ARROW_FILE, [str(NUMBER)])


def test_a_value_under_a_null_is_gone_after_a_rewrite(tmp_path: Path) -> None:
    path = write_arrow(tmp_path / "x", pa.table({"n": _hidden(), "user_id": ["a", "b", GONE]}))

    out, _ = _without(path, GONE, str(NUMBER))

    assert NUMBER.to_bytes(8, "little") not in out.read_bytes()


def test_views_of_text_do_not_share_the_text_of_the_whole(tmp_path: Path) -> None:
    whole = pa.table({"user_id": [GONE, *OTHERS]})
    view = whole.set_column(0, "user_id", whole["user_id"].cast(pa.string_view()))
    path = write_arrow(tmp_path / "x", view)

    out, _ = _without(path, GONE)

    assert _read(out).to_pylist() == [{"user_id": user} for user in OTHERS]
    assert GONE.encode() not in out.read_bytes()


# -- Without pyarrow ----------------------------------------------------------------------------------


def test_a_missing_pyarrow_is_said_with_the_command_that_installs_it(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "x", table())
    program = (
        "import sys\n"
        "sys.modules['pyarrow'] = None\n"
        "from dataver.erasure.rows.kinds import TableKind\n"
        "from dataver.erasure.rows.rewriting import rewrite\n"
        "from dataver.errors import MissingTablesError\n"
        "try:\n"
        f"    rewrite({str(path)!r}, {str(tmp_path / 'y')!r}, TableKind.PARQUET, 'user_id', ['a'])\n"
        "except MissingTablesError as error:\n"
        "    print(error.hint)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "pip install 'dataver[tables]'\n"


def test_text_is_rewritten_without_pyarrow(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from dataver.erasure.rows.kinds import TableKind\n"
        "from dataver.erasure.rows.rewriting import rewrite\n"
        f"open({str(tmp_path / 'x')!r}, 'w').write('id\\nu1\\n')\n"
        f"rewrite({str(tmp_path / 'x')!r}, {str(tmp_path / 'y')!r}, TableKind.CSV, 'id', ['u1'])\n"
        "print('pyarrow' in sys.modules)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
