"""docs/erasure.md, walked as a privacy officer and an engineer would: from the request to the receipt."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.cli import program
from tests.e2e.erasure.bench import PERSON, SELECTED, Case

PAGE = Path(__file__).parents[3] / "docs" / "erasure.md"
RULES = 'version = 1\n[[rule]]\ntarget = "data"\npath = "users/{subject}/**"\n'


def commands_of(page: Path) -> list[list[str]]:
    """Give the words of each `dataver` command in the page's blocks, without comments."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ dataver ")]
    return [re.sub(r"['\"]", "", line).split()[1:] for line in lines]


@pytest.fixture
def asked(folder_case: Case) -> Case:
    """Give a project with rules, and the file with whom the request is about."""
    folder_case.project.write({".dataver/subjects.toml": RULES.encode()})
    folder_case.project.git("add", ".dataver/subjects.toml")
    folder_case.project.commit("Rules")
    (folder_case.tmp / "request.txt").write_text(f"{PERSON}\n")
    return folder_case


@pytest.mark.parametrize("by", ["paths", "a file of subjects"])
def test_the_seven_steps_of_the_page_lead_to_a_receipt(asked: Case, by: str) -> None:
    project = asked.project
    words = [str(asked.tmp / word) if word == "request.txt" else word for word in commands_of(PAGE)[0]]
    if by == "paths":
        words[words.index("--subject-file") : words.index("--due")] = ["--path", SELECTED]
    receipt, page = asked.tmp / "receipt.json", asked.tmp / "receipt.html"

    plan = project.ask(*words)["plan"]
    ran = project.ask("purge", "run", plan)
    project.commit("Erased")
    verified = project.ask("purge", "verify", ran["erasure"])
    project.run("purge", "show", ran["erasure"], "--page", str(page))
    receipt.write_bytes(Path(ran["receipt"]).read_bytes())
    audited = project.run("purge", "audit", str(receipt))

    assert (ran["state"], verified["local"]) == ("closed", "ABSENT")
    assert [remote["state"] for remote in verified["remotes"]] == ["ABSENT"]
    assert "all is good" in audited.text
    assert "DSR-2026-17" in page.read_text()
    assert asked.found(others=[page, receipt]) == []


def test_whom_it_is_about_can_be_told_on_stdin(asked: Case) -> None:
    told = subprocess.run(
        program("--json", "purge", "plan", "--subject-file", "-"),
        input=f"{PERSON}\n".encode(),
        cwd=asked.project.root,
        env=dict(asked.project.env),
        capture_output=True,
        timeout=60,
        check=True,
    )

    assert {file["path"].split("/")[2] for file in json.loads(told.stdout)["data"]["files"]} == {PERSON}


def test_every_command_of_the_page_is_understood(asked: Case) -> None:
    for words in commands_of(PAGE):
        told = asked.project.run(*words, "--help")
        options = {word for word in words if word.startswith("--")}

        assert options <= set(re.findall(r"--[a-z-]+", told.stdout)), words
