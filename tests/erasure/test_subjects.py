"""Whose data is it: by path, by a mapping table, by a sidecar, by rows; what cannot be read is told."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from dataver.erasure.subjects import Belongings, RowWork, Unexamined, belongings
from dataver.formats.subjects import decode_rules
from dataver.hashing import BLAKE3, digest
from dataver.model.names import oid_of_digest
from dataver.model.subjects import Rules
from dataver.model.tree import FILE, Entry

Files = Mapping[str, bytes | None]
"""Path -> content; None where it cannot be had."""


def _rules(*lines: str) -> Rules:
    return decode_rules("\n".join(("version = 1", "[[rule]]", *lines)).encode())


def _found(
    rules: Rules,
    files: Files,
    *subjects: str,
    target: bytes = b"data",
    is_single: bool = False,
    tracked: Callable[[bytes], bytes | None] = lambda path: None,
) -> Belongings:
    entries = [
        Entry(path.encode(), FILE, oid_of_digest(BLAKE3, digest(BLAKE3, content or b"")), len(content or b""))
        for path, content in sorted(files.items())
    ]

    def read(entry: Entry) -> bytes | None:
        return files[entry.path.decode()]

    return belongings(rules, target, subjects, entries, read, is_single=is_single, tracked=tracked)


def _paths(found: Belongings) -> list[str]:
    return [entry.path.decode() for entry in found.entries]


BY_PATH = _rules('target = "data"', 'path = "users/{subject}/**"')
BY_TABLE = _rules(
    'target = "data"', 'table = "index.csv"', 'path_column = "file"', 'subject_column = "person"'
)
BY_SIDECAR = _rules('target = "data"', 'sidecar = "{path}.json"', 'field = "person.id"')
BY_ROWS = _rules('target = "data"', 'rows = "**/*.csv"', 'key = "id"')


def test_the_files_of_several_subjects_are_found_by_their_paths() -> None:
    files = dict.fromkeys(
        ("users/u1/a", "users/u1/b/c", "users/u10/a", "users/u2/a", "users/u3/a", "u1"), b""
    )

    found = _found(BY_PATH, files, "u1", "u2")

    assert _paths(found) == ["users/u1/a", "users/u1/b/c", "users/u2/a"]
    assert (found.rows, found.unexamined) == ((), ())


def test_nothing_of_a_target_without_a_rule_is_found() -> None:
    assert _found(BY_PATH, {"users/u1/a": b""}, "u1", target=b"other") == Belongings((), (), ())


def test_a_table_names_files_and_folders_and_loses_its_rows_too() -> None:
    table = b'file,person\na.png,u1\n./b.png,u1\n"deep/x",u1\ndata/c.png,u1\nd.png,u2\nnowhere,u1\n'
    files = dict.fromkeys(("a.png", "b.png", "c.png", "d.png", "deep/x/1", "deep/x/2", "deep/y"), b"")

    found = _found(BY_TABLE, {**files, "index.csv": table}, "u1")

    assert _paths(found) == ["a.png", "b.png", "c.png", "deep/x/1", "deep/x/2"]
    assert found.rows == (RowWork(b"index.csv", "person"),)
    assert found.unexamined == ()


def test_a_parquet_table_with_numbers_for_people_is_read() -> None:
    rules = _rules('target = "data"', 'table = "i.parquet"', 'path_column = "f"', 'subject_column = "p"')
    data = io.BytesIO()
    pq.write_table(pa.table({"f": ["a", "b", None], "p": [1041, 7, 1041]}), data)

    found = _found(rules, {"a": b"", "b": b"", "i.parquet": data.getvalue()}, "1041")

    assert _paths(found) == ["a"]


def test_a_table_that_is_tracked_on_its_own_is_asked_for() -> None:
    asked: list[bytes] = []

    def tracked(path: bytes) -> bytes | None:
        asked.append(path)
        return b"person;file\nu1;a\n"

    found = _found(BY_TABLE, {"a": b"", "b": b""}, "u1", tracked=tracked)

    assert (_paths(found), asked) == (["a"], [b"index.csv"])


def test_the_rows_of_a_mapping_table_that_is_tracked_on_its_own_are_work() -> None:
    found = _found(BY_TABLE, {"data": b"file,person\n"}, "u1", target=b"index.csv", is_single=True)

    assert found.rows == (RowWork(b"data", "person"),)


def test_a_table_that_cannot_be_read_is_told() -> None:
    contents = {"lost": None, "no table": b"\x80pickle\0", "no such column": b"file,who\na,u1\n"}

    told = {
        name: [one.path for one in _found(BY_TABLE, {"a": b"", "index.csv": content}, "u1").unexamined]
        for name, content in contents.items()
    }

    assert told == {name: [b"index.csv"] for name in contents}


def test_a_file_and_its_sidecar_belong_together() -> None:
    files = {
        "a.jpg": b"",
        "a.jpg.json": b'{"person": {"id": "u1"}}',
        "b.jpg": b"",
        "b.jpg.json": b'{"person": {"id": "u10"}}',
        "c.jpg": b"",
        "c.jpg.json": b'{"person": [{"id": "u2"}, {"id": 1041}]}',
    }

    found = _found(BY_SIDECAR, files, "u1", "1041")

    assert _paths(found) == ["a.jpg", "a.jpg.json", "c.jpg", "c.jpg.json"]
    assert found.unexamined == ()


def test_a_sidecar_may_stand_for_a_file_with_another_ending() -> None:
    rules = _rules('target = "data"', 'sidecar = "{stem}.json"', 'field = "id"')

    found = _found(rules, {"x.y/a.jpg": b"", "x.y/a.json": b'{"id": "u1"}'}, "u1")

    assert _paths(found) == ["x.y/a.jpg", "x.y/a.json"]


def test_files_without_a_readable_sidecar_are_told() -> None:
    files = {"a": b"", "b": b"", "b.json": None, "c": b"", "c.json": b"{"}

    told = _found(BY_SIDECAR, files, "u1").unexamined

    assert [one.path for one in told] == [b"a", b"b.json", b"c.json"]
    assert told[0] == Unexamined(b"a", "no sidecar beside it")


def test_tables_with_rows_of_many_are_work_for_each() -> None:
    files = dict.fromkeys(("a.csv", "deep/b.csv", "c.txt"), b"")

    assert _found(BY_ROWS, files, "u1").rows == (RowWork(b"a.csv", "id"), RowWork(b"deep/b.csv", "id"))


def test_a_table_that_goes_as_a_whole_is_no_work() -> None:
    rules = Rules((*BY_PATH.all, *BY_ROWS.all))

    found = _found(rules, {"users/u1/t.csv": b"", "users/u2/t.csv": b""}, "u1")

    assert (_paths(found), found.rows) == (["users/u1/t.csv"], (RowWork(b"users/u2/t.csv", "id"),))


def test_a_table_that_is_tracked_on_its_own_is_seen_by_its_name() -> None:
    found = _found(
        _rules('target = "t.csv"', 'rows = "*.csv"', 'key = "id"'),
        {"data": b""},
        "u1",
        target=b"t.csv",
        is_single=True,
    )

    assert found.rows == (RowWork(b"data", "id"),)
