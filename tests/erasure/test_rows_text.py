"""Rows out of CSV, TSV and JSON lines: what stays, stays byte for byte."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from dataver.erasure.rows.kinds import Rewritten, TableKind, kind_of
from dataver.erasure.rows.rewriting import rewrite
from dataver.errors import RowsLeftError, UnreadableTableError, UsageError


def _without(
    tmp_path: Path, data: bytes, *values: str, kind: TableKind = TableKind.CSV, key: str = "id"
) -> tuple[bytes, Rewritten]:
    (tmp_path / "in").write_bytes(data)
    done = rewrite(str(tmp_path / "in"), str(tmp_path / "out"), kind, key, values)
    return (tmp_path / "out").read_bytes(), done


CASES: dict[str, tuple[bytes, bytes]] = {
    "plain": (b"id,x\nu1,1\nu2,2\n", b"id,x\nu2,2\n"),
    "no end of line at the end": (b"id,x\nu2,2\nu1,1", b"id,x\nu2,2\n"),
    "carriage returns": (b"id,x\r\nu1,1\r\nu2,2\r\n", b"id,x\r\nu2,2\r\n"),
    "carriage returns alone": (b"id,x\ru1,1\ru2,2\r", b"id,x\ru2,2\r"),
    "a carriage return inside": (b"id,x\nu1,a\rb\nu2,2\n", b"id,x\nu2,2\n"),
    "a byte order mark": (b"\xef\xbb\xbfid,x\nu1,1\nu2,2\n", b"\xef\xbb\xbfid,x\nu2,2\n"),
    "a byte order mark and quotes": (b'\xef\xbb\xbf"id",x\nu1,1\nu2,2\n', b'\xef\xbb\xbf"id",x\nu2,2\n'),
    "a quoted value": (b'x,id\n1,"u1"\n2,"u2"\n', b'x,id\n2,"u2"\n'),
    "line ends in quotes": (b'x,id\n"a\nb\r\n",u1\n"c\nu1,d",u2\n', b'x,id\n"c\nu1,d",u2\n'),
    "quotes in quotes": (b'x,id\n"a ""b"",",u1\n"a ""b"",",u2\n', b'x,id\n"a ""b"",",u2\n'),
    "a quote inside a field": (b'x,id\n5" disk,u1\n6" disk,u2\n', b'x,id\n6" disk,u2\n'),
    "semicolons": (b"x;id\n1,5;u1\n2,5;u2\n", b"x;id\n2,5;u2\n"),
    "blank and short lines": (b"x,id\n\nshort\n1,u1\n\n", b"x,id\n\nshort\n\n"),
    "spaces are data": (b"id,x\n u1,1\nu1 ,2\nu1,3\n", b"id,x\n u1,1\nu1 ,2\n"),
    "longer ids": (b"id,x\nu10,1\nu1,2\nxu1,3\n", b"id,x\nu10,1\nxu1,3\n"),
}


@pytest.mark.parametrize("name", CASES)
def test_records_of_a_csv_file_are_cut_out(tmp_path: Path, name: str) -> None:
    before, after = CASES[name]

    assert _without(tmp_path, before, "u1")[0] == after


def test_tabs_part_the_fields_of_tsv(tmp_path: Path) -> None:
    data = b"a,b\tid\n1\tu1\n2,u1\tu2\n"

    assert _without(tmp_path, data, "u1", kind=TableKind.TSV)[0] == b"a,b\tid\n2,u1\tu2\n"


def test_rows_are_counted_and_columns_that_still_name_a_value_are_told(tmp_path: Path) -> None:
    data = b"id,friend,text\nu1,u2,x\nu2,u1,y\nu3,u2,met u1.\nu4,u10,z\n"

    _, done = _without(tmp_path, data, "u1")

    assert done == Rewritten(1, 3, ("friend", "text"))


def test_a_value_beyond_ascii_is_found_in_the_western_code_page(tmp_path: Path) -> None:
    data = "id,x\nJosé,1\nBob,2\n".encode("cp1252")

    assert _without(tmp_path, data, "José")[0] == b"id,x\nBob,2\n"


def test_records_across_the_borders_of_what_is_read_at_once_are_whole(tmp_path: Path) -> None:
    rows = [b'"%s\n%d",u%d\n' % (b"x" * 70_000, n, n % 3) for n in range(60)]
    kept = [row for row in rows if not row.endswith(b"u1\n")]

    found, done = _without(tmp_path, b"x,id\n" + b"".join(rows), "u1")

    assert (found, done.rows_removed) == (b"x,id\n" + b"".join(kept), 20)


def test_what_stays_of_random_tables_is_what_a_csv_reader_leaves(tmp_path: Path) -> None:
    chance = random.Random(1)
    pieces = ["u1", "u2", "", 'say "u1"', "a\nb", "a,b", "\r\n", " u1", "é"]
    for _ in range(60):
        rows = [[chance.choice(pieces) for _ in range(3)] for _ in range(chance.randint(0, 8))]

        found, _ = _without(tmp_path, _csv([["a", "id", "b"], *rows]), "u1")

        assert found == _csv([["a", "id", "b"], *(row for row in rows if row[1] != "u1")])


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x,y\n1,2\n",
        b"id,id\n1,2\n",
        b'id,x\nu1,"never ends\n',
        b'"id,x\nu1,1\n',
        b"id,x\ru1,1\r\nu2,2\r",
    ],
)
def test_a_csv_file_that_is_not_understood_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnreadableTableError):
        _without(tmp_path, data, "u1")


def test_a_column_that_is_named_like_a_value_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(RowsLeftError):
        _without(tmp_path, b"id,u1\nu1,1\n", "u1")


@pytest.mark.parametrize("values", [(), ("",), ("u1", "")])
def test_rows_are_not_removed_by_nothing(tmp_path: Path, values: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        _without(tmp_path, b"id,x\n,1\n", *values)


JSON_CASES: dict[str, tuple[str, bytes, bytes]] = {
    "plain": ("id", b'{"id":"u1"}\n{"id": "u2"}\n', b'{"id": "u2"}\n'),
    "spacing and blank lines stay": ("id", b'{"id":"u1"}\n\n { "id" :"u2" } \r\n', b'\n { "id" :"u2" } \r\n'),
    "a number": (
        "id",
        b'{"id":1041}\n{"id":10410}\n{"id":1041.0}\n{"id":1041.5}\n',
        b'{"id":10410}\n{"id":1041.5}\n',
    ),
    "inside": ("user.id", b'{"user":{"id":"u1"}}\n{"user":{"id":"u2"}}\n', b'{"user":{"id":"u2"}}\n'),
    "a name with a dot": ("user.id", b'{"user.id":"u1"}\n{"user.id":"u2"}\n', b'{"user.id":"u2"}\n'),
    "one of a list": ("ids", b'{"ids":["u0","u1"]}\n{"ids":["u2"]}\n', b'{"ids":["u2"]}\n'),
    "objects in a list": (
        "who.id",
        b'{"who":[{"id":"u1"}]}\n{"who":[{"id":"u2"}]}\n',
        b'{"who":[{"id":"u2"}]}\n',
    ),
    "escaped": ("id", b'{"id":"\\u0075\\u0031"}\n{"id":"u2"}', b'{"id":"u2"}'),
    "twice in one object": ("id", b'{"id":"u1","id":"u9"}\n{"id":"u2"}\n', b'{"id":"u2"}\n'),
    "other than objects": ("id", b'5\n"u1"\nnull\n{"id":"u1"}\n', b'5\n"u1"\nnull\n'),
    "a byte order mark": ("id", b'\xef\xbb\xbf{"id":"u1"}\n{"id":"u2"}\n', b'\xef\xbb\xbf{"id":"u2"}\n'),
}


@pytest.mark.parametrize("name", JSON_CASES)
def test_lines_of_json_are_cut_out(tmp_path: Path, name: str) -> None:
    key, before, after = JSON_CASES[name]

    assert _without(tmp_path, before, "u1", "1041", kind=TableKind.JSONL, key=key)[0] == after


def test_names_under_which_a_value_is_left_are_told(tmp_path: Path) -> None:
    lines = [{"id": "u1"}, {"id": "u2", "met": [{"who": "u1"}]}, {"id": "u3", "text": "saw u1!"}]
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    _, done = _without(tmp_path, data, "u1", kind=TableKind.JSONL)

    assert done == Rewritten(1, 2, ("met.who", "text"))


@pytest.mark.parametrize("data", [b'{"id":"u1"}\n{broken\n', b"[" * 100_000, b"\xff\xfe\n"])
def test_a_line_that_is_no_json_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnreadableTableError):
        _without(tmp_path, data, "u1", kind=TableKind.JSONL)


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        (b"a/x.CSV", b"id\n", TableKind.CSV),
        (b"x.tsv", b"", TableKind.TSV),
        (b"x.ndjson", b"{}", TableKind.JSONL),
        (b"x.jsonl", b"{}", TableKind.JSONL),
        (b"part-0000", b"PAR1\x15", TableKind.PARQUET),
        (b"x.feather", b"ARROW1\0\0", TableKind.ARROW_FILE),
        (b"x.arrows", b"\xff\xff\xff\xff\x10", TableKind.ARROW_STREAM),
        (b"x.csv", b"\xff\xfei\0d\0", None),
        (b"x.csv", b"\x1f\x8b\x08\0", None),
        (b"x.csv.gz", b"\x1f\x8b\x08", None),
        (b"x.parquet", b"text", None),
        (b"x.feather", b"FEA1", None),
        (b"x.pkl", b"\x80\x04", None),
    ],
)
def test_a_table_is_told_by_its_name_and_its_first_bytes(
    name: bytes, head: bytes, kind: TableKind | None
) -> None:
    assert kind_of(name, head) is kind
