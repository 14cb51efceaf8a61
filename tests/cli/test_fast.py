"""The entries that run without Typer: what they load, what they understand, what they leave."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import dataver
from dataver.cli import fast
from dataver.cli.fast import StatusArguments, parse_status
from dataver.cli.session import run


@pytest.mark.parametrize("argv", [["--version"], ["--help"], ["complete", "st"], ["git-diff", "unmerged"]])
def test_a_fast_entry_loads_neither_typer_nor_a_foreign_library(argv: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from dataver.cli.session import run\n"
        f"status = run({argv!r})\n"
        "heavy = {'typer', 'click', 'dataclasses', 'msgspec', 'tqdm', 'subprocess', 'logging', 'json'}\n"
        "sys.stderr.write(' '.join(heavy & set(sys.modules)))\n"
        "sys.exit(status)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(dataver.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], StatusArguments()),
        (["data", "--exit-code"], StatusArguments(("data",), has_exit_code=True)),
        (["--porcelain", "-z"], StatusArguments(is_porcelain=True, has_nul=True)),
        (["-z"], StatusArguments(is_porcelain=True, has_nul=True)),
        (["--verify", "--", "--remote"], StatusArguments(("--remote",), verify=True)),
        (["--remote"], StatusArguments(remote="")),
        (["--remote=backup"], StatusArguments(remote="backup")),
        (["--remote", "backup"], StatusArguments(remote="backup")),
        (["--remote", "--verify"], StatusArguments(remote="", verify=True)),
    ],
)
def test_status_understands_its_arguments(
    words: list[str], asked: StatusArguments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert parse_status(words) == asked


@pytest.mark.parametrize("name", ["data", "data.dv"])
def test_a_tracked_path_behind_remote_is_a_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()

    assert parse_status(["--remote", "data"]) == StatusArguments(("data",), remote="")


@pytest.mark.parametrize("word", ["--nonsense", "--help", "-x"])
def test_status_leaves_what_it_does_not_understand_to_typer(word: str) -> None:
    assert parse_status([word]) is None


def test_version_prints_name_and_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["add", "--version"]) == 0
    assert capsys.readouterr().out == f"dataver {dataver.__version__}\n"


def test_help_of_a_command_comes_either_way_round(capsys: pytest.CaptureFixture[str]) -> None:
    run(["help", "mv"])
    one = capsys.readouterr().out
    run(["mv", "-h"])

    assert one == capsys.readouterr().out
    assert one.startswith("Usage: dataver mv ")


def test_no_command_prints_the_help_page_and_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert capsys.readouterr().out == fast.help_text()


def test_textconv_stops_no_git_at_what_is_no_pointer(tmp_path: Path) -> None:
    (tmp_path / "x.dv").write_bytes(b"no pointer \xff\n")

    done = subprocess.run(
        [sys.executable, "-m", "dataver", "git-textconv", tmp_path / "x.dv"], capture_output=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, b"")


def test_a_diff_that_cannot_be_made_stops_no_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    status = run(["git-diff", "data.dv", "/dev/null", ".", ".", "/dev/null", ".", "."])

    assert status == 0
    assert capsys.readouterr().out.startswith("dataver cannot compare data.dv: not inside a Git repository")
