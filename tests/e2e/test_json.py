"""`--json`: one document on stdout, for every command, for success and for failure."""

import json
import os

import pytest

from tests.e2e.cli import Json
from tests.e2e.project import Project

COMMANDS = {
    "init": ["init"],
    "add": ["add", "data"],
    "status": ["status"],
    "diff": ["diff", "v1"],
    "checkout": ["checkout"],
    "untrack": ["untrack", "data"],
    "ls": ["ls", "-R", "data"],
    "mv": ["mv", "data", "inputs"],
    "push": ["push"],
    "fetch": ["fetch"],
    "pull": ["pull"],
    "remote list": ["remote", "list"],
    "remote add": ["remote", "add", "second", "../second"],
    "remote rename": ["remote", "rename", "origin", "other"],
    "remote default": ["remote", "default"],
    "remote set": ["remote", "set", "origin", "region", "eu"],
    "remote remove": ["remote", "remove", "origin"],
    "config list": ["config", "list"],
    "config get": ["config", "get", "core.hash"],
    "config set": ["config", "set", "cache.link", "copy"],
}

KEYS = {
    "add": [
        "path",
        "pointer",
        "kind",
        "files",
        "size",
        "added",
        "modified",
        "deleted",
        "renamed",
        "bytes_added",
    ]
    + ["root", "staged", "unchanged", "dry_run"],
    "status": [
        "path",
        "pointer",
        "state",
        "git",
        "at",
        "changes",
        "absent",
        "missing",
        "erased",
        "remote_missing",
    ]
    + ["sparse", "files", "size"],
    "checkout": ["path", "written", "deleted", "kept", "bytes", "sparse"],
    "diff": ["path", "added", "modified", "deleted", "renamed", "bytes_added", "bytes_deleted", "changes"],
}


@pytest.mark.parametrize("args", COMMANDS.values(), ids=COMMANDS.keys())
def test_the_document_says_its_schema_and_how_it_ended(published: Project, args: list[str]) -> None:
    published.write({"data/a.txt": "alpha two\n"})
    published.record("data")

    result = published.run("--json", *args)

    document = result.json
    assert document["schema"].startswith(f"dataver.{args[0]}")
    assert document["schema"].endswith("/1")
    assert (document["ok"], document["exit"], document["failed"]) == (True, 0, [])
    assert isinstance(document["data"], dict)


@pytest.mark.parametrize("verb", KEYS)
def test_each_target_has_every_promised_key(published: Project, verb: str) -> None:
    published.write({"data/a.txt": "alpha two\n"})
    published.record("data")
    args = {"diff": ["diff", "v1"], "add": ["add", "data"]}.get(verb, [verb])

    targets = published.ask(*args)["targets"]

    assert [[key for key in KEYS[verb] if key not in target] for target in targets] == [[]]


def test_push_has_every_promised_key(published: Project) -> None:
    keys = {"remote", "files", "bytes", "sent_bytes", "objects", "packs", "present_bytes", "dry_run", "seq"}

    assert keys <= set(published.ask("push"))


def test_pull_has_what_fetch_and_checkout_say(published: Project) -> None:
    data = published.ask("pull")

    assert {"remote", "files", "bytes", "received_bytes", "objects", "packs", "requests"} <= set(
        data["fetch"]
    )
    assert "targets" in data["checkout"]


@pytest.mark.parametrize("place", ["before", "after"])
def test_json_may_stand_before_or_after_the_verb(tracked: Project, place: str) -> None:
    args = ["--json", "status"] if place == "before" else ["status", "--json"]

    assert tracked.run(*args).json["schema"] == "dataver.status/1"


@pytest.mark.parametrize(
    "args", [["push"], ["diff", "v9"], ["stauts"], ["status", "--nonsense"], ["checkout", "none"], ["add"]]
)
def test_an_error_is_a_document_too(tracked: Project, args: list[str]) -> None:
    result = tracked.run("--json", *args, expect=2)

    document = result.json
    assert (document["schema"], document["ok"], document["exit"]) == ("dataver.error/1", False, 2)
    assert set(document["error"]) >= {"code", "message", "hint"}


def test_a_partial_failure_lists_path_code_message_and_hint(tracked: Project) -> None:
    os.mkfifo(tracked.root / "data/pipe")

    document = tracked.run("--json", "add", "data", expect=6).json

    assert (document["ok"], document["exit"]) == (False, 6)
    assert [set(item) for item in document["failed"]] == [{"path", "code", "message", "hint"}]


def test_a_partial_failure_is_also_a_line_on_stderr(tracked: Project) -> None:
    os.mkfifo(tracked.root / "data/pipe")

    assert "data/pipe" in tracked.run("add", "data", expect=6).stderr


def test_a_name_that_is_not_utf8_is_base64(project: Project) -> None:
    (project.root / "data").mkdir()
    with open(os.fsencode(project.root) + b"/data/caf\xe9", "wb"):
        pass
    project.run("add", "data")

    paths = [entry["path"] for entry in project.ask("ls", "data")["entries"]]

    assert paths == [{"b64": "ZGF0YS9jYWbp"}]


def test_paths_are_relative_to_the_top_from_everywhere(tracked: Project) -> None:
    tracked.write({"data/train/1.csv": "changed\n"})

    document = tracked.run("--json", "diff", cwd=tracked.root / "data").json

    assert [change["path"] for change in document["data"]["targets"][0]["changes"]] == ["data/train/1.csv"]


def test_stdout_of_a_failing_text_command_is_empty(tracked: Project) -> None:
    assert tracked.run("push", expect=2).stdout == ""


def test_quiet_prints_nothing_but_errors(tracked: Project) -> None:
    tracked.write({"data/a.txt": "changed\n"})

    result = tracked.run("-q", "add", "data")

    assert result.stdout + result.stderr == ""


def test_text_has_no_colour_where_stdout_is_no_terminal(tracked: Project) -> None:
    result = tracked.run("status")

    assert "\x1b" not in result.stdout + result.stderr


def test_version_and_help_print_to_stdout(tracked: Project) -> None:
    assert tracked.run("--version").stdout.strip().startswith("dataver")
    assert "checkout" in tracked.run("--help").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_prints_a_script(project: Project, shell: str) -> None:
    assert "dataver" in project.run("completion", shell).stdout


def test_the_document_is_the_only_thing_on_stdout(tracked: Project) -> None:
    stdout = tracked.run("--json", "-v", "status").stdout

    document: Json = json.loads(stdout)
    assert stdout.count('"schema"') == 1
    assert document["ok"] is True
