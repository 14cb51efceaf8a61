"""Rows of one person leave tables of every version; the other rows, and all other files, are as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dataver.erasure.rows.kinds import TableKind
from dataver.erasure.rows.rewriting import examine
from dataver.errors import RowsLeftError
from tests.e2e.erasure.bench import Store, folder_store, said
from tests.e2e.project import Project, new_project
from tests.erasure.nowhere import nowhere
from tests.erasure.signing import new_key

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

PERSON = "person-7041-of-all"


def _table(version: int) -> Any:
    """Give a table with a category column and metadata that name the person."""
    people = [PERSON if n % 10 == version else f"somebody-{n:04}-else" for n in range(400)]
    return pa.table(
        {
            "user": pa.array(people).dictionary_encode(),
            "count": pa.array(range(400), pa.int64()),
            "text": [f"event {n} of version {version}" for n in range(400)],
        }
    ).replace_schema_metadata({"best_user": PERSON, "made_by": "tests"})


@pytest.fixture
def tables(tmp_path: Path) -> Project:
    """Give a project with three versions of a Parquet, a CSV and a JSON lines file, pushed, with a signer."""
    project = new_project(tmp_path / "churn", tmp_path / "home")
    folder_store(tmp_path).configure(project)
    for version in (1, 2, 3):
        rows = _table(version).to_pylist()
        lines = [f"{row['user']},{row['count']}\r\n" for row in rows]
        said_lines = [f'{{"user": "{row["user"]}", "n": {row["count"]}}}\n' for row in rows]
        project.write(
            {
                "data/events.csv": "user,count\r\n" + "".join(lines),
                "data/events.jsonl": "".join(said_lines),
                "data/other.txt": f"version {version}\n",
            }
        )
        pq.write_table(_table(version), project.root / "data/events.parquet")
        project.record("data", tag=f"v{version}")
    project.run("push", "--all")
    key = new_key(tmp_path, "key")
    project.run("purge", "signers", f"{key.path}.pub", "--signing-key", str(key.path))
    project.git("commit", "-qam", "Appoint")
    (tmp_path / "subjects").write_text(f"{PERSON}\n")
    return project


def _erase(project: Project, tables: tuple[str, ...]) -> str:
    rows = [word for table in tables for word in ("--rows", table)]
    subjects = str(project.root.parent / "subjects")
    plan = project.ask("purge", "plan", *rows, "--key", "user", "--subject-file", subjects)
    key = str(project.root.parent / "key")
    return str(project.ask("purge", "run", plan["plan"], "--signing-key", key)["erasure"])


ALL = ("data/events.parquet", "data/events.csv", "data/events.jsonl")


def test_rows_leave_every_version_and_all_other_rows_are_equal(tables: Project, tmp_path: Path) -> None:
    erasure = _erase(tables, ALL)
    clone = tables.clone("fresh")
    (tmp_path / "subjects").unlink()

    for project in (tables, clone):
        for version in (1, 2, 3):
            project.git("checkout", "-q", f"v{version}")
            project.run("pull")
            kept = [row for row in _table(version).to_pylist() if row["user"] != PERSON]
            read = pq.read_table(project.root / "data/events.parquet")
            assert read.to_pylist() == kept
            assert read.schema.metadata[b"made_by"] == b"tests"
            lines = (project.root / "data/events.csv").read_bytes().split(b"\r\n")
            assert lines == [b"user,count", *(f"{r['user']},{r['count']}".encode() for r in kept), b""]
            assert (project.root / "data/events.jsonl").read_text().count("\n") == len(kept)
            assert project.read("data/other.txt") == f"version {version}\n"
        project.run("verify")
    places = [tmp_path / "store", tables.root, clone.root]
    assert nowhere(places, contents=[PERSON.encode()]) == []
    assert tables.ask("purge", "verify", erasure)["remotes"][0]["state"] == "ABSENT"


def test_rows_are_found_by_a_rule(tables: Project, tmp_path: Path) -> None:
    (tables.root / ".dataver/subjects.toml").write_text(
        'version = 1\n\n[[rule]]\ntarget = "data"\nrows = "**/*.parquet"\nkey = "user"\n'
    )
    subjects = str(tmp_path / "subjects")

    plan = tables.ask("purge", "plan", "--subject-file", subjects)
    tables.run("purge", "run", plan["plan"], "--signing-key", str(tmp_path / "key"))
    tables.run("pull")

    assert plan["rows"] == 120
    read = pq.read_table(tables.root / "data/events.parquet")
    assert read.to_pylist() == [row for row in _table(3).to_pylist() if row["user"] != PERSON]


def test_rows_need_signers(tmp_path: Path) -> None:
    project = new_project(tmp_path / "churn", tmp_path / "home")
    store: Store = folder_store(tmp_path)
    store.configure(project)
    project.write({"data/t.csv": f"user,n\n{PERSON},1\nother,2\n"})
    project.record("data")
    project.run("push")
    (tmp_path / "subjects").write_text(f"{PERSON}\n")
    asked = ("--rows", "data/t.csv", "--key", "user", "--subject-file", str(tmp_path / "subjects"))

    result = project.run("purge", "plan", *asked, expect=13)

    assert "purge signers" in said(result)


def test_a_naive_rewrite_keeps_the_value(tmp_path: Path) -> None:
    """What the erasure's check is for: a filter leaves the dictionary and the metadata."""
    table = _table(1)
    mask = pa.compute.not_equal(table["user"].cast(pa.string()), PERSON)
    pq.write_table(table.filter(mask), tmp_path / "naive.parquet")

    with pytest.raises(RowsLeftError):
        examine(str(tmp_path / "naive.parquet"), TableKind.PARQUET, [PERSON])


def test_an_erasure_of_rows_done_again_takes_out_another_person(tables: Project, tmp_path: Path) -> None:
    _erase(tables, ALL)
    tables.run("pull")
    other = "somebody-0005-else"
    (tmp_path / "subjects").write_text(f"{other}\n")

    _erase(tables, ALL)
    tables.run("pull")

    read = pq.read_table(tables.root / "data/events.parquet")
    kept = [row for row in _table(3).to_pylist() if row["user"] not in (PERSON, other)]
    assert read.to_pylist() == kept
    tables.run("verify", "--remote")
