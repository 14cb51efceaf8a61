"""Threads, for work that waits on something else or leaves the interpreter's lock to others."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar

from dataver.parallel.count import STOP_S, TASKS_PER_WORKER, worker_count

T = TypeVar("T")
R = TypeVar("R")


class Beside(Generic[R]):
    """A function that runs in a thread of its own."""

    def __init__(self, function: Callable[[], R]) -> None:
        self._function = function
        self._value: R
        self._error: BaseException | None = None
        # A daemon: what never ends must not keep an interrupted program from ending.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:  # noqa: BLE001  raised again by `result`
            self._error = error

    def result(self, timeout_s: float | None = None) -> R:
        """Wait for the function; return its value or raise what it raised.

        Raises: TimeoutError after *timeout_s* seconds; the function goes on, and nobody hears of it.
        """
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise TimeoutError(f"no end within {timeout_s} s")
        if self._error is not None:
            raise self._error
        return self._value


def beside(function: Callable[[], R]) -> Beside[R]:
    """Start *function* in a thread and return at once."""
    return Beside(function)


class _Slot:
    """A task's place in the window, filled by a thread."""

    __slots__ = ("error", "is_done", "task", "value")

    def __init__(self, task: Any) -> None:
        self.task = task
        self.value: Any = None
        self.error: BaseException | None = None
        self.is_done = threading.Event()


def threads_map_ordered(
    function: Callable[[T], R], tasks: Iterable[T], jobs: int | None = None
) -> Iterator[R]:
    """Yield `function(task)` for each task, in order, from threads: for work that waits on others.

    What the function raises is raised here.  After an error or a close no new task is begun, and
    those under way are waited for a second at most.
    """
    count = worker_count(jobs)
    if count == 1:
        return (function(task) for task in tasks)
    return _in_threads(function, iter(tasks), count)


def _in_threads(function: Callable[[T], R], tasks: Iterator[T], jobs: int) -> Generator[R, None, None]:
    queue: deque[_Slot | None] = deque()
    ready = threading.Semaphore(0)
    threads: list[threading.Thread] = []

    def work() -> None:
        while True:
            ready.acquire()
            slot = queue.popleft()
            if slot is None:
                return
            try:
                slot.value = function(slot.task)
            except BaseException as error:  # noqa: BLE001  raised again below
                slot.error = error
            slot.is_done.set()

    window: deque[_Slot] = deque()
    try:
        while True:
            while len(window) < TASKS_PER_WORKER * jobs:
                try:
                    slot = _Slot(next(tasks))
                except StopIteration:
                    break
                window.append(slot)
                queue.append(slot)
                ready.release()
                if len(threads) < min(jobs, len(window)):
                    threads.append(threading.Thread(target=work, daemon=True))
                    threads[-1].start()
            if not window:
                return
            head = window.popleft()
            head.is_done.wait()
            if head.error is not None:
                raise head.error
            yield head.value
    finally:
        for _ in threads:
            queue.appendleft(None)
            ready.release()
        deadline = time.monotonic() + STOP_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
