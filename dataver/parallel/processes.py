"""Forked worker processes.

The function and all that it refers to are there already when a worker is forked; only tasks and
results travel, pickled, through pipes between our own processes.

Longer than 300 lines because parent and worker speak one protocol, read side by side.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import signal
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, TypeVar

from dataver.parallel.count import STOP_S, TASKS_PER_WORKER, worker_count

T = TypeVar("T")
R = TypeVar("R")

_HEADER_SIZE = 8
_CHUNK = 1 << 20
_SET_PIPE_SIZE: int | None = getattr(fcntl, "F_SETPIPE_SZ", None)

# The ends of workers' pipes that are this process's own.  A worker closes them all: it must not keep
# another worker from seeing that the parent is gone.
_parent_ends: set[int] = set()


class WorkerLostError(OSError):
    """A worker process that ended without an answer, as when the system runs out of memory."""

    def __init__(self, status: int) -> None:
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        super().__init__(errno.ECHILD, f"a worker process was ended {how}")
        self.status = status


class Processes:
    """Forked worker processes, for work that holds the interpreter's lock."""

    @staticmethod
    def map_ordered(
        function: Callable[[T], R], tasks: Iterable[T], jobs: int | None = None
    ) -> Generator[R, None, None]:
        """Yield `function(task)` for each task, in order; with one job in this process.

        What the function raises in a worker is raised here.  Closing the iterator, an error and
        Ctrl-C end the workers at once; a killed worker raises `WorkerLostError`.
        """
        count = worker_count(jobs)
        if count == 1:
            return (function(task) for task in tasks)
        return _in_processes(function, iter(tasks), count)


class _Worker:
    """One child process, its two pipes and what is on its way."""

    __slots__ = ("incoming", "outgoing", "pid", "read_fd", "waiting", "write_fd")

    def __init__(self, pid: int, read_fd: int, write_fd: int) -> None:
        self.pid, self.read_fd, self.write_fd = pid, read_fd, write_fd
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.waiting: deque[int] = deque()


def _in_processes(function: Callable[[T], R], tasks: Iterator[T], jobs: int) -> Generator[R, None, None]:
    import pickle  # 4 ms, and a `status` starts no worker

    pool = _Pool(function, jobs)
    results: dict[int, tuple[bool, Any]] = {}
    given = taken = 0
    exhausted = False
    try:
        while True:
            while not exhausted and given - taken < TASKS_PER_WORKER * jobs:
                try:
                    task = next(tasks)
                except StopIteration:
                    exhausted = True
                    break
                pool.give(given, pickle.dumps(task, pickle.HIGHEST_PROTOCOL))
                given += 1
            if taken == given:
                break
            while taken not in results:
                for number, packed in pool.turn():
                    results[number] = pickle.loads(packed)  # noqa: S301  from our own child
            is_good, value = results.pop(taken)
            taken += 1
            if not is_good:
                raise _error_of(value)
            yield value
    finally:
        pool.end(is_idle=taken == given)


class _Pool:
    """The workers of one map."""

    def __init__(self, function: Callable[[Any], Any], jobs: int) -> None:
        self._function = function
        self._jobs = jobs
        self._workers: list[_Worker] = []
        self._by_fd: dict[int, _Worker] = {}
        self._poll = select.poll()

    def give(self, number: int, packed: bytes) -> None:
        """Queue a task at the worker that has least to do; fork another one while there are few."""
        worker = min(self._workers, key=lambda w: len(w.waiting), default=None)
        if worker is None or (worker.waiting and len(self._workers) < self._jobs):
            worker = self._fork()
        worker.waiting.append(number)
        worker.outgoing += len(packed).to_bytes(_HEADER_SIZE, "little")
        worker.outgoing += packed
        self._send(worker)

    def _fork(self) -> _Worker:
        task_read, task_write = _wide_pipe()
        result_read, result_write = _wide_pipe()
        _parent_ends.update((task_write, result_read))
        # Until the worker has its own signal handling, Ctrl-C must not raise in it: it would go on
        # as a second parent.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            with warnings.catch_warnings():
                # Python 3.12 warns where threads run; ours hold no lock that a worker takes.
                warnings.simplefilter("ignore", DeprecationWarning)
                pid = os.fork()
            if pid == 0:
                _serve(self._function, task_read, result_write, before)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(task_read)
        os.close(result_write)
        worker = _Worker(pid, result_read, task_write)
        for fd in (result_read, task_write):
            os.set_blocking(fd, False)
            self._by_fd[fd] = worker
        self._poll.register(result_read, select.POLLIN)
        self._workers.append(worker)
        return worker

    def _send(self, worker: _Worker) -> None:
        try:
            while worker.outgoing:
                del worker.outgoing[: os.write(worker.write_fd, worker.outgoing[:_CHUNK])]
        except BlockingIOError:
            self._poll.register(worker.write_fd, select.POLLOUT)
            return
        except BrokenPipeError:
            worker.outgoing.clear()  # reading its results will tell that it is gone
        with contextlib.suppress(KeyError):
            self._poll.unregister(worker.write_fd)

    def turn(self) -> list[tuple[int, bytes]]:
        """Wait for something to happen; return the results that became complete."""
        complete: list[tuple[int, bytes]] = []
        for fd, _ in self._poll.poll():
            worker = self._by_fd[fd]
            if fd == worker.write_fd:
                self._send(worker)
            else:
                self._receive(worker, complete)
        return complete

    def _receive(self, worker: _Worker, complete: list[tuple[int, bytes]]) -> None:
        data = os.read(worker.read_fd, _CHUNK)
        if not data:
            raise WorkerLostError(self._reap(worker, time.monotonic() + STOP_S))
        incoming = worker.incoming
        incoming += data
        while len(incoming) >= _HEADER_SIZE:
            size = int.from_bytes(incoming[:_HEADER_SIZE], "little")
            if len(incoming) < _HEADER_SIZE + size:
                break
            with memoryview(incoming) as view:
                packed = bytes(view[_HEADER_SIZE : _HEADER_SIZE + size])
            complete.append((worker.waiting.popleft(), packed))
            del incoming[: _HEADER_SIZE + size]

    def end(self, *, is_idle: bool) -> None:
        """Let idle workers go, end those with work in hand, and wait for all."""
        for worker in self._workers:
            for fd in (worker.write_fd, worker.read_fd):
                _parent_ends.discard(fd)
                os.close(fd)
            if worker.pid and not is_idle:  # a lost worker has been waited for: its pid is 0
                _kill(worker.pid)
        deadline = time.monotonic() + STOP_S
        for worker in self._workers:
            if worker.pid:
                self._reap(worker, deadline)
        self._workers.clear()

    @staticmethod
    def _reap(worker: _Worker, deadline: float) -> int:
        """Wait for a worker that has nothing more to do, and end it where it does not go by itself."""
        pid, worker.pid = worker.pid, 0
        pause = 0.0005
        try:
            while True:
                found, status = os.waitpid(pid, os.WNOHANG)
                if found:
                    return os.waitstatus_to_exitcode(status)
                if time.monotonic() > deadline:
                    _kill(pid)
                    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                time.sleep(pause)
                pause = min(pause * 2, 0.02)
        except ChildProcessError:  # somebody else waited for it
            return 0


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _wide_pipe() -> tuple[int, int]:
    read_fd, write_fd = os.pipe()
    if _SET_PIPE_SIZE is not None:
        with contextlib.suppress(OSError):  # a system may allow less; then it takes more turns
            fcntl.fcntl(write_fd, _SET_PIPE_SIZE, _CHUNK)
    return read_fd, write_fd


def _serve(
    function: Callable[[Any], Any], read_fd: int, write_fd: int, mask: set[int | signal.Signals]
) -> None:
    """Answer tasks until the parent closes the pipe; never returns."""
    status = 1
    try:
        # Ctrl-C reaches the whole group: the parent alone answers it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for fd in _parent_ends:
            os.close(fd)
        _parent_ends.clear()
        while (header := _read_exactly(read_fd, _HEADER_SIZE)) is not None:
            packed = _read_exactly(read_fd, int.from_bytes(header, "little"))
            if packed is None:
                break
            answer = _answer(function, packed)
            _write_all(write_fd, len(answer).to_bytes(_HEADER_SIZE, "little"))
            _write_all(write_fd, answer)
        status = 0
    finally:
        # No clean-up of the parent's (buffers, temp files, exit handlers) may run twice.
        os._exit(status)


def _answer(function: Callable[[Any], Any], packed: bytes) -> bytes:
    import pickle  # see _in_processes

    try:
        return pickle.dumps((True, function(pickle.loads(packed))), pickle.HIGHEST_PROTOCOL)  # noqa: S301
    except BaseException as error:  # noqa: BLE001  the parent raises it again
        try:
            answer = pickle.dumps((False, _parts_of(error)), pickle.HIGHEST_PROTOCOL)
            pickle.loads(answer)  # noqa: S301
            return answer
        except Exception:  # noqa: BLE001  an error that cannot travel: its words do
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


def _parts_of(error: BaseException) -> BaseException | tuple[type[BaseException], Any, dict[str, Any]]:
    """Return what an error is remade from.

    pickle would call the class with the finished message in the place of the facts.
    """
    if type(error).__reduce__ is not BaseException.__reduce__:
        return error
    return type(error), error.args, error.__dict__


def _error_of(parts: BaseException | tuple[type[BaseException], Any, dict[str, Any]]) -> BaseException:
    if isinstance(parts, BaseException):
        return parts
    kind, arguments, facts = parts
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(facts)
    return error


def _read_exactly(fd: int, size: int) -> bytes | None:
    data = os.read(fd, size)
    if len(data) == size:
        return data
    found = bytearray(data)
    while data and len(found) < size:
        data = os.read(fd, min(size - len(found), _CHUNK))
        found += data
    return bytes(found) if len(found) == size else None


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
