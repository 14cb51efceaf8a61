"""How a run ends: exit codes, error lines, documents, and nothing that a person should not see."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dataver
from dataver import Failure, UntrackResult
from dataver.cli import render_text
from dataver.cli.arguments import Globals
from dataver.cli.session import Session, run
from dataver.errors import UnknownRemoteError

ROOT = Path(dataver.__file__).parents[1]


def _start(program: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# -- typos and usage --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["statsu"], ["error[usage]: no such command 'statsu'", "hint: did you mean dataver status?"]),
        (["frobnicate"], ["error[usage]: no such command 'frobnicate'", "hint: dataver --help"]),
        (["--jsn", "add"], ["error[usage]: no such option '--jsn'", "hint: did you mean --json?"]),
        (
            ["checkout", "--forse"],
            ["error[usage]: no such option '--forse' of dataver checkout", "hint: did you mean --force?"],
        ),
        (
            ["remote", "lst"],
            ["error[usage]: no such command 'remote lst'", "hint: did you mean dataver remote list?"],
        ),
        (
            ["remote"],
            [
                "error[usage]: dataver remote needs one of: add, list, remove, rename, set, default, stats",
                "hint: dataver remote --help",
            ],
        ),
        (["add"], ["error[usage]: missing argument 'TARGET...'", "hint: dataver add --help"]),
        (
            ["add", "x", "--hash", "md5"],
            [
                "error[usage]: invalid value for '--hash': 'md5' is not one of 'blake3', 'xxh128'",
                "hint: dataver add --help",
            ],
        ),
        (["-C", "/no/such", "add"], ["error[usage]: cannot run in /no/such: No such file or directory"]),
    ],
)
def test_a_usage_error_says_what_and_what_instead(
    argv: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(argv) == 2

    assert capsys.readouterr().err.splitlines() == said


def test_a_mistyped_remote_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    Session(Globals()).report(UnknownRemoteError("orign", ["backup", "origin"]))

    assert capsys.readouterr().err.splitlines() == [
        "error[no-remote]: no remote named 'orign'; known: backup, origin",
        "hint: did you mean origin?",
    ]


def test_an_error_is_a_document_when_json_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["statsu", "--json"]) == 2

    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["error"]["code"]) == ("dataver.error/1", "usage")


def test_outside_of_git_the_hint_says_how_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["status"]) == 2

    assert capsys.readouterr().err.splitlines() == [
        f"error[no-git]: not inside a Git repository: {tmp_path}",
        "hint: git init && dataver init",
    ]


def test_dash_c_runs_elsewhere(
    git_repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir("/")

    run(["status", "-C", str(git_repo)])

    assert capsys.readouterr().err.startswith(f"error[no-dataver]: no .dataver/ in {git_repo}")


# -- what is printed where --------------------------------------------------------------------------


def _untracked(*failed: Failure, warnings: tuple[Failure, ...] = ()) -> UntrackResult:
    return UntrackResult((b"data",), failed=failed, warnings=warnings)


def _missing(path: bytes, hint: str = "dataver fetch") -> Failure:
    return Failure(path, "missing-object", f"{path.decode()} is not in the cache", hint, 3)


def test_what_failed_is_a_line_each_and_the_same_hint_is_given_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = _untracked(_missing(b"a"), _missing(b"b", "ask Ada"), _missing(b"c"))

    status = Session(Globals()).show("untrack", result, render_text.untracked)

    assert status == 3
    assert capsys.readouterr().err.splitlines() == [
        "error[missing-object]: a is not in the cache",
        "error[missing-object]: c is not in the cache",
        "hint: dataver fetch",
        "error[missing-object]: b is not in the cache",
        "hint: ask Ada",
    ]


def test_a_failure_whose_message_names_no_path_is_told_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    failure = Failure(b"data/caf\xe9", "permission", "no permission to read", "", 7)

    Session(Globals()).show("untrack", _untracked(failure), render_text.untracked)

    assert capsys.readouterr().err == "error[permission]: data/caf\\xe9: no permission to read\n"


def test_a_warning_does_not_change_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    warning = Failure(b"", "erased", "1 file was erased on 2026-03-02 (E-1f3a9c2e)", "", 0)

    assert Session(Globals()).show("untrack", _untracked(warnings=(warning,)), render_text.untracked) == 0
    assert capsys.readouterr().err == "warning[erased]: 1 file was erased on 2026-03-02 (E-1f3a9c2e)\n"


def test_quiet_leaves_only_errors(capsys: pytest.CaptureFixture[str]) -> None:
    Session(Globals(is_quiet=True)).show("untrack", _untracked(_missing(b"a", "")), render_text.untracked)

    assert capsys.readouterr() == ("", "error[missing-object]: a is not in the cache\n")


def test_quiet_leaves_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    run(["-q", "--version"])

    assert capsys.readouterr().out == f"dataver {dataver.__version__}\n"


def test_colour_marks_the_word_before_the_colon(capsys: pytest.CaptureFixture[str]) -> None:
    Session(Globals(color="always")).tell(["error[usage]: no: such", "plain: line"])

    assert capsys.readouterr().err == "\x1b[1;31merror[usage]:\x1b[0m no: such\nplain: line\n"


@pytest.mark.parametrize(
    ("no_color", "color", "has_colour"), [("", "auto", True), ("1", "auto", False), ("1", "always", True)]
)
def test_colour_heeds_the_terminal_and_no_color(
    no_color: str,
    color: str,
    *,
    has_colour: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    Session(Globals(color=color)).tell(["hint: x"])

    assert ("\x1b" in capsys.readouterr().err) is has_colour


# -- defects, pipes, signals ------------------------------------------------------------------------


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a defect into `init`."""

    def fail(start: str) -> None:
        raise KeyError(start)

    monkeypatch.setattr(dataver, "init", fail, raising=False)


@pytest.mark.usefixtures("broken")
def test_a_defect_says_how_to_report_it_and_shows_no_python(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init"]) == 70

    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(
        f"error[bug]: a defect in dataver {dataver.__version__}: KeyError at cli/versions.py:"
    )
    assert second == "hint: run it again with --debug and report what that prints"


@pytest.mark.usefixtures("broken")
def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    run(["init", "--debug"])

    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_goes_away_ends_the_run_quietly() -> None:
    program = (
        "import sys, time\n"
        "from dataver.cli import fast, session\n"
        "fast.help_text = lambda: 'x' * 300_000\n"
        "sys.exit(session.run(['--help']))"
    )
    with _start(program) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        said = child.stderr.read()

    assert (child.returncode, said) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dataver", "--version"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert done.returncode == 7
    assert done.stderr == "error[disk-full]: standard output: no space left on the disk\n"


_STUCK = (
    "import sys, time\n"
    "from dataver.cli import fast, session, signals\n"
    "def hang(session, words):\n"
    "    sys.stderr.write('ready\\n'); sys.stderr.flush()\n"
    "    try:\n"
    "        time.sleep(60)\n"
    "    finally:\n"
    "        time.sleep({cleanup})\n"
    "fast.run = hang\n"
    "signals.install()\n"
    "sys.exit(session.run([]))"
)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_with_its_code(number: signal.Signals, status: int) -> None:
    child = _start(_STUCK.format(cleanup=0))
    assert child.stderr is not None
    child.stderr.readline()

    child.send_signal(number)

    _, said = child.communicate(timeout=20)
    assert child.returncode == status
    assert said.splitlines() == [
        "error[interrupted]: stopped before the end",
        "hint: run the same command to go on",
    ]


def test_a_cleanup_that_takes_too_long_is_cut_off_after_two_seconds() -> None:
    child = _start(_STUCK.format(cleanup=30))
    assert child.stderr is not None
    child.stderr.readline()
    begin = time.monotonic()

    child.send_signal(signal.SIGINT)
    child.communicate(timeout=20)

    assert child.returncode == 130
    assert time.monotonic() - begin < 2
