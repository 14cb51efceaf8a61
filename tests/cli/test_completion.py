"""Completion: commands, options, values, revisions; the scripts are what their shells accept."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dataver
from dataver.cli.completion import SHELLS, complete, script
from dataver.cli.session import run


def _names(*words: str) -> list[str]:
    return [candidate.partition("\t")[0] for candidate in complete(words)]


def test_commands_are_completed() -> None:
    assert _names("st") == ["status"]


def test_commands_say_what_they_do() -> None:
    assert complete(["unt"]) == ["untrack\tstop tracking; the data stays"]


def test_a_group_is_one_candidate() -> None:
    assert _names("remo") == ["remote"]


def test_the_commands_of_a_group_are_completed() -> None:
    assert _names("remote", "re") == ["remove", "rename"]


def test_options_of_the_command_are_completed() -> None:
    assert _names("checkout", "--re") == ["--relink"]


def test_options_for_every_command_are_completed() -> None:
    assert "--json" in _names("push", "--")


def test_global_options_do_not_hide_the_command() -> None:
    assert _names("--json", "-C", ".", "checkout", "--fo") == ["--force"]


def test_choices_of_an_option_are_completed() -> None:
    assert _names("add", "--hash", "") == ["blake3", "xxh128"]


def test_colours_are_completed() -> None:
    assert _names("--color", "a") == ["auto", "always"]


def test_shells_are_completed() -> None:
    assert _names("completion", "") == list(SHELLS)


def test_branches_and_tags_are_completed(in_git_repo: Path) -> None:
    (in_git_repo / ".dataver").mkdir()
    (in_git_repo / ".dataver/config.toml").write_text("")
    for command in (["commit", "-q", "--allow-empty", "-m", "x"], ["tag", "old/v1"], ["pack-refs", "--all"]):
        subprocess.run(["git", *command], check=True)
    subprocess.run(["git", "tag", "old/v2"], check=True)

    found = set(_names("diff", ""))

    assert {"HEAD", "main", "old/v1", "old/v2"} <= found


@pytest.mark.parametrize(
    "words", [[], ["nonsense", ""], ["-C"], ["--color", "x", "y"], ["checkout", "data/"]]
)
def test_where_nothing_can_be_offered_nothing_is_said(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["complete", *words]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script(shell: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["completion", shell]) == 0
    assert capsysbinary.readouterr().out.decode() == script(shell)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_valid_in_its_shell(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(script(shell))

    done = subprocess.run([program, "-n", tmp_path / "script"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_bash_completes_a_line(tmp_path: Path) -> None:
    program = tmp_path / "dataver"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dataver "$@"\n')
    program.chmod(0o755)
    line = (
        f'PATH="{tmp_path}:$PATH"; eval "$(dataver completion bash)"\n'
        "COMP_WORDS=(dataver remote re); COMP_CWORD=2; COMP_LINE='dataver remote re'; COMP_POINT=17\n"
        '_dataver; printf "%s\\n" "${COMPREPLY[@]}"'
    )

    done = subprocess.run(
        ["bash", "-c", line],
        cwd=Path(dataver.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == ["remove", "rename"]
