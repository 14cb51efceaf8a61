"""Threads and worker processes: order, bounds, errors, and ends that never hang."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Protocol

import pytest

from dataver import hashing
from dataver.errors import NoGitError, WouldOverwriteError
from dataver.parallel import Processes, WorkerLostError, beside, threads_map_ordered, worker_count
from tests.children import children


class _Map(Protocol):
    def __call__(
        self, function: Callable[[Any], Any], tasks: Iterable[Any], jobs: int | None = None
    ) -> Generator[Any, None, None]: ...


both = pytest.mark.parametrize(
    "map_ordered", [Processes.map_ordered, threads_map_ordered], ids=["processes", "threads"]
)


_KNOWN: set[int] = set()


@pytest.fixture(autouse=True)
def _before() -> None:
    """Note the children that the process has already."""
    _KNOWN.clear()
    _KNOWN.update(children())


def _assert_no_children() -> None:
    assert children() <= _KNOWN


def test_a_wish_for_workers_is_kept_within_reason() -> None:
    assert worker_count(3) == 3
    assert worker_count(0) == 1
    assert worker_count(10**9) <= 64
    assert worker_count() >= 1


@both
@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_the_order_of_the_tasks(map_ordered: _Map, jobs: int) -> None:
    def slow_when_even(number: int) -> int:
        time.sleep(0.002 if number % 2 == 0 else 0)
        return number * 10

    assert list(map_ordered(slow_when_even, iter(range(40)), jobs)) == [n * 10 for n in range(40)]
    _assert_no_children()


@both
def test_no_tasks_give_no_results(map_ordered: _Map) -> None:
    assert list(map_ordered(str, iter(()), 4)) == []


@both
@pytest.mark.parametrize("jobs", [1, 3])
def test_an_error_is_raised_here_after_the_results_before_it(map_ordered: _Map, jobs: int) -> None:
    def fail_at_five(number: int) -> int:
        if number == 5:
            raise NoGitError("/somewhere")
        return number

    results = map_ordered(fail_at_five, iter(range(100)), jobs)
    found = list(itertools.islice(results, 5))
    with pytest.raises(NoGitError) as caught:
        next(results)

    assert found == [0, 1, 2, 3, 4]
    assert caught.value.message == "not inside a Git repository: /somewhere"
    assert caught.value.folder == "/somewhere"
    _assert_no_children()


def test_an_error_of_many_facts_survives_the_way_out_of_a_process() -> None:
    def fail(number: int) -> None:
        raise WouldOverwriteError(b"data", [b"a", b"b"])

    with pytest.raises(WouldOverwriteError) as caught:
        list(Processes.map_ordered(fail, iter(range(2)), 2))

    assert caught.value.files == (b"a", b"b")
    assert "dataver checkout --force data" in caught.value.hint


def test_an_error_that_cannot_travel_arrives_as_words() -> None:
    class Local(Exception):
        pass

    def fail(number: int) -> None:
        raise Local(f"words {number}")

    with pytest.raises(RuntimeError, match="Local: words 0"):
        list(Processes.map_ordered(fail, iter(range(2)), 2))


def test_an_operating_system_error_keeps_its_number() -> None:
    def fail(number: int) -> None:
        os.stat("/no/such")

    with pytest.raises(FileNotFoundError) as caught:
        list(Processes.map_ordered(fail, iter(range(2)), 2))

    assert caught.value.filename == "/no/such"


@both
def test_tasks_are_taken_only_a_little_ahead(map_ordered: _Map) -> None:
    taken = 0

    def tasks() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    results = map_ordered(abs, tasks(), 3)
    for done, _ in enumerate(results, start=1):
        assert taken - done <= 6


@both
def test_an_error_of_the_task_list_ends_the_workers(map_ordered: _Map) -> None:
    def tasks() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(map_ordered(abs, tasks(), 2))

    _assert_no_children()


@both
def test_closing_early_ends_the_workers_at_once(map_ordered: _Map) -> None:
    def slow(number: int) -> int:
        time.sleep(0 if number == 0 else 30)
        return number

    results = map_ordered(slow, iter(range(10)), 2)
    assert next(results) == 0
    start = time.monotonic()

    results.close()

    assert time.monotonic() - start < 2
    _assert_no_children()


def test_work_is_done_in_other_processes_but_for_one_job() -> None:
    def who(_: int) -> int:
        return os.getpid()

    many = set(Processes.map_ordered(who, iter(range(20)), 2))
    one = set(Processes.map_ordered(who, iter(range(20)), 1))

    assert os.getpid() not in many
    assert one == {os.getpid()}


def test_no_more_workers_are_forked_than_there_are_tasks() -> None:
    assert len(set(Processes.map_ordered(lambda _: os.getpid(), iter(range(1)), 8))) == 1


def test_a_killed_worker_is_an_error_and_never_a_hang() -> None:
    def die(number: int) -> int:
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(WorkerLostError, match="signal 9"):
        list(Processes.map_ordered(die, iter(range(100)), 2))

    _assert_no_children()


def test_a_worker_that_exits_is_an_error() -> None:
    with pytest.raises(WorkerLostError, match="status 4"):
        list(Processes.map_ordered(lambda _: os._exit(4), iter(range(3)), 2))


def test_large_tasks_and_results_cross_without_deadlock() -> None:
    data = os.urandom(5 << 20)

    results = list(Processes.map_ordered(lambda task: task[::-1], iter([data] * 6), 2))

    assert results == [data[::-1]] * 6


def test_large_blake3_digests_in_a_worker_do_not_wait_for_threads_of_the_parent() -> None:
    data = bytes(8 << 20)
    expected = hashing.digest(hashing.BLAKE3, data)
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # a hang here must not hang the tests
        found = list(Processes.map_ordered(lambda _: hashing.digest(hashing.BLAKE3, data), range(4), 2))
        os._exit(0 if found == [expected] * 4 else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_ctrl_c_ends_the_children_within_two_seconds() -> None:
    script = """
import os, sys, time
from dataver.parallel import Processes
def work(number):
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(60)
try:
    list(Processes.map_ordered(work, iter(range(4)), 2))
except KeyboardInterrupt:
    os._exit(42)
"""
    read_fd, write_fd = os.pipe()
    program = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", script],
        {**os.environ, "PYTHONPATH": os.getcwd()},
        file_actions=[(os.POSIX_SPAWN_DUP2, write_fd, 1)],
        setpgroup=0,
    )
    os.close(write_fd)
    with os.fdopen(read_fd, "rb") as said:
        workers = [int(said.readline()), int(said.readline())]
        start = time.monotonic()
        os.killpg(program, signal.SIGINT)  # as a terminal does: parent and workers get it
        status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])

        assert said.read() == b""  # the workers' ends of the pipe are closed: they are gone

    assert status == 42
    assert time.monotonic() - start < 2
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


def test_workers_of_a_killed_parent_end_by_themselves() -> None:
    read_fd, write_fd = os.pipe()
    parent = os.fork()
    if parent == 0:
        results = Processes.map_ordered(lambda n: n, iter(range(1000)), 3)
        next(results)
        os.write(write_fd, b"x")
        time.sleep(60)
        os._exit(0)
    os.close(write_fd)
    assert os.read(read_fd, 1) == b"x"

    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)

    assert os.read(read_fd, 1) == b""  # returns only when no worker holds the other end
    os.close(read_fd)


def test_a_pool_within_a_pools_life_does_not_disturb_it() -> None:
    start = time.monotonic()
    outer = Processes.map_ordered(abs, iter(range(50)), 2)
    next(outer)

    inner = list(Processes.map_ordered(abs, iter(range(50)), 2))
    rest = list(outer)

    assert (inner, rest) == (list(range(50)), list(range(1, 50)))
    assert time.monotonic() - start < 1
    _assert_no_children()


def test_no_descriptor_stays_open() -> None:
    before = len(os.listdir("/dev/fd"))

    list(Processes.map_ordered(abs, iter(range(10)), 3))
    Processes.map_ordered(abs, iter(range(10)), 3).close()
    results = Processes.map_ordered(abs, iter(range(10)), 3)
    next(results)
    results.close()

    assert len(os.listdir("/dev/fd")) == before


def test_beside_gives_the_result() -> None:
    assert beside(lambda: 6 * 7).result() == 42


def test_beside_raises_what_the_function_raised() -> None:
    def fail() -> None:
        raise ValueError("beside")

    started = beside(fail)

    with pytest.raises(ValueError, match="beside"):
        started.result()
