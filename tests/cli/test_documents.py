"""The JSON documents: stable keys, sizes in bytes, every path representable."""

import json
from typing import Any

import pytest

from dataver import (
    ConfigListResult,
    ConfigValue,
    Failure,
    InitResult,
    ListedEntry,
    ListResult,
    MoveResult,
    PullResult,
    RemoteAddResult,
    RemoteInfo,
    RemoteListResult,
    Result,
    TargetDiff,
    UntrackResult,
)
from dataver.cli import documents, render_json
from tests.cli import made

REMOTE = RemoteInfo("origin", "../store", "1f", is_default=True)
RESULTS: dict[str, Result] = {
    "init": InitResult("/srv/churn", "main", created=True),
    "add": made.add_result(made.added()),
    "status": made.status_result(made.target_status()),
    "diff": made.diff_result(TargetDiff(b"data", made.many_changes())),
    "checkout": made.checkout_result(made.checked_out()),
    "untrack": UntrackResult((b"data",)),
    "ls": ListResult((ListedEntry(b"data/a", "file", 1, "blake3:ab", b"data.dv"),)),
    "mv": MoveResult(b"a", b"b", b"b.dv"),
    "push": made.push_result(),
    "fetch": made.fetch_result(),
    "pull": PullResult(made.fetch_result(), made.checkout_result(), 1, 2, 3),
    "remote-add": RemoteAddResult(
        REMOTE, can_list=True, can_write=True, can_delete=True, has_create_if_absent=True, is_new=True
    ),
    "remote-list": RemoteListResult((REMOTE,)),
    "remote-stats": made.stats_result(),
    "config-list": ConfigListResult((ConfigValue("cache.link", "copy", "file"),)),
}


def _parsed(verb: str, result: Result, status: int = 0) -> dict[str, Any]:
    document = json.loads(documents.document(verb, result, status))
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("verb", RESULTS)
def test_every_result_has_a_document(verb: str) -> None:
    document = _parsed(verb, RESULTS[verb])

    assert {**document, "data": None} == {
        "schema": f"dataver.{verb}/1",
        "ok": True,
        "exit": 0,
        "data": None,
        "failed": [],
    }


def test_a_document_is_one_line() -> None:
    raw = documents.document("status", RESULTS["status"], 0)

    assert (raw.count(b"\n"), raw[-1:]) == (1, b"\n")


def test_an_add_tells_numbers_and_ids() -> None:
    (target,) = _parsed("add", RESULTS["add"])["data"]["targets"]

    assert target == {
        "path": "data",
        "pointer": "data.dv",
        "kind": "directory",
        "files": 1204,
        "size": 3_100_000_000,
        "added": 1204,
        "modified": 0,
        "deleted": 0,
        "renamed": 0,
        "bytes_added": 3_100_000_000,
        "root": "ab" * 32,
        "new": True,
        "staged": True,
        "unchanged": False,
        "dry_run": False,
    }


def test_a_status_tells_each_change() -> None:
    changes = (made.change("renamed", b"data/b", old=7, new=7, was=b"data/a"),)
    result = made.status_result(made.target_status(state="dirty", at="v2", changes=changes))

    data = _parsed("status", result)["data"]

    assert (data["head"], data["clean"], data["targets"][0]["at"]) == ("c0ffee0" + "0" * 33, False, "v2")
    assert data["targets"][0]["changes"] == [
        {"path": "data/b", "change": "renamed", "from": "data/a", "size": 7, "old_size": 7}
    ]


def test_no_commit_yet_is_null() -> None:
    assert _parsed("status", type(made.status_result())("", ()))["data"]["head"] is None


def test_a_diff_tells_old_and_new_ids() -> None:
    changes = (made.change("modified", b"data/a", old=5, new=8),)

    (target,) = _parsed("diff", made.diff_result(TargetDiff(b"data", changes)))["data"]["targets"]

    oid = "blake3:" + bytes(range(32)).hex()
    assert (target["bytes_added"], target["bytes_deleted"]) == (8, 5)
    assert target["changes"] == [
        {"path": "data/a", "change": "modified", "size": 8, "old_size": 5, "old_oid": oid, "new_oid": oid}
    ]


def test_a_path_that_is_not_utf8_is_base64() -> None:
    assert render_json.path_of(b"caf\xe9") == {"b64": "Y2Fm6Q=="}


def test_a_path_that_is_utf8_is_a_string() -> None:
    assert render_json.path_of("数据.csv".encode()) == "数据.csv"


def test_a_text_with_a_lone_surrogate_still_is_json() -> None:
    document = json.loads(documents.error_document("usage", "no \udce9", "", 2))

    assert document["error"]["message"].startswith("no ")


def test_what_failed_is_listed() -> None:
    failure = Failure(b"data/a", "missing-object", "data/a is not in the cache", "", 3)

    document = _parsed("untrack", UntrackResult((), failed=(failure,)), 3)

    assert (document["ok"], document["exit"]) == (False, 3)
    assert document["failed"] == [
        {"path": "data/a", "code": "missing-object", "message": "data/a is not in the cache", "hint": None}
    ]


def test_warnings_are_listed_apart() -> None:
    warning = Failure(b"data/a", "erased", "1 file was erased", "", 0)

    document = _parsed("untrack", UntrackResult((), warnings=(warning,)))

    assert [item["code"] for item in document["warnings"]] == ["erased"]
    assert document["ok"] is True


def test_an_error_is_a_document_of_its_own() -> None:
    document = json.loads(documents.error_document("no-git", "not inside a Git repository", "git init", 2))

    assert document == {
        "schema": "dataver.error/1",
        "ok": False,
        "exit": 2,
        "error": {"code": "no-git", "message": "not inside a Git repository", "hint": "git init"},
    }
