"""Programs that are started, talked with, and ended when they hang."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from dataver.disk.process import Conversation, run
from dataver.errors import LocalIOError
from tests.children import children


def _fd_count() -> int:
    return len(os.listdir("/dev/fd"))


def test_run_returns_status_output_and_errors() -> None:
    done = run(["sh", "-c", "cat; echo bad >&2; exit 3"], stdin=b"in\xff")

    assert done == (3, b"in\xff", b"bad\n")


def test_a_killed_program_has_a_negative_status() -> None:
    assert run(["sh", "-c", "kill -9 $$"]).status == -signal.SIGKILL


def test_a_hundred_thousand_paths_in_and_out_do_not_deadlock() -> None:
    paths = b"\0".join(b"folder/file%d" % number for number in range(100_000))

    done = run(["tee", "/dev/stderr"], stdin=paths, timeout_s=60)

    assert done.stdout == paths
    assert done.stderr[:1000] == paths[:1000]


def test_a_program_that_reads_nothing_does_not_stop_us() -> None:
    assert run(["true"], stdin=b"x" * 1_000_000, timeout_s=60).status == 0


def test_a_program_that_closes_its_output_is_still_waited_for() -> None:
    done = run(["sh", "-c", "exec >&- 2>&-; sleep 0.1; exit 7"])

    assert done.status == 7


def test_a_program_that_hangs_is_ended_at_the_deadline() -> None:
    start = time.monotonic()

    with pytest.raises(LocalIOError, match="sleep"):
        run(["sleep", "60"], timeout_s=0.1)

    assert time.monotonic() - start < 5


def test_a_grandchild_that_keeps_the_pipes_open_does_not_hold_us() -> None:
    start = time.monotonic()

    done = run(["sh", "-c", "sleep 20 & echo said"])

    assert done.stdout == b"said\n"
    assert time.monotonic() - start < 10


def test_a_missing_program_is_named() -> None:
    with pytest.raises(LocalIOError, match="no-such-program") as caught:
        run(["no-such-program"])

    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_another_folder(tmp_path: Path) -> None:
    folder = tmp_path / "-x $(y)\n"
    folder.mkdir()

    done = run(["pwd"], cwd=str(folder), env={"PATH": os.environ["PATH"]})

    assert done.stdout.decode() == f"{folder}\n"


def test_env_replaces_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1")

    done = run(["env"], env={"PATH": os.environ["PATH"], "ONLY": "this"})

    assert b"ONLY=this" in done.stdout
    assert b"SECRET" not in done.stdout


def test_a_child_dies_of_a_broken_pipe_as_programs_expect() -> None:
    # Python ignores SIGPIPE; a child that inherited that would go on writing.
    status = run([sys.executable, "-c", "import signal as s; print(s.getsignal(s.SIGPIPE))"])
    shell = run(["sh", "-c", "yes | head -1; kill -PIPE $$; exit 9"])

    assert status.status == 0
    assert shell.status == -signal.SIGPIPE


def test_no_descriptor_stays_open() -> None:
    before = _fd_count()

    for _ in range(5):
        run(["true"])
        with pytest.raises(LocalIOError):
            run(["no-such-program"])

    assert _fd_count() == before


def test_an_interrupted_run_leaves_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    known = children()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            run(["sleep", "60"])
    finally:
        signal.signal(signal.SIGALRM, before)

    assert children() <= known


def test_a_conversation_goes_to_and_fro() -> None:
    with Conversation(["cat"]) as cat:
        cat.write(b"line one\nrest")
        assert cat.read_line() == b"line one"
        assert cat.read_exactly(4) == b"rest"
        cat.write(b"\xff\n\n")
        assert cat.read_line() == b"\xff"
        assert cat.read_line() == b""
        assert cat.finish().status == 0


def test_reading_past_the_end_gives_what_there_is() -> None:
    with Conversation(["printf", "abc"]) as program:
        assert program.read_exactly(2) == b"ab"
        assert program.read_line() == b"c"
        assert program.read_line() == b""
        assert program.read_exactly(9) == b""


def test_a_conversation_takes_errors_in_while_it_waits() -> None:
    script = "head -c 300000 /dev/zero >&2; echo done"

    with Conversation(["sh", "-c", script], timeout_s=30) as program:
        assert program.read_line() == b"done"


def test_a_conversation_that_falls_silent_is_ended() -> None:
    with Conversation(["sleep", "60"], timeout_s=0.1) as program, pytest.raises(LocalIOError):
        program.read_line()


def test_leaving_a_conversation_ends_the_child() -> None:
    known = children()
    start = time.monotonic()

    with Conversation(["sleep", "60"]):
        pass

    assert time.monotonic() - start < 5
    assert children() <= known


def test_a_forked_worker_does_not_keep_a_childs_input_open() -> None:
    with Conversation(["cat"], timeout_s=10) as cat:
        worker = os.fork()
        if worker == 0:
            time.sleep(30)
            os._exit(0)
        try:
            assert cat.finish().status == 0
        finally:
            os.kill(worker, signal.SIGKILL)
            os.waitpid(worker, 0)


def test_closed_standard_streams_do_not_confuse_the_pipes() -> None:
    pid = os.fork()
    if pid == 0:
        for fd in (0, 1, 2):
            os.close(fd)
        try:
            done = run(["sh", "-c", "cat; echo e >&2"], stdin=b"in")
            os._exit(0 if done == (0, b"in", b"e\n") else 1)
        finally:
            os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
