"""Start other programs: git, ssh-keygen, a key command.  The only module that does.

Made of posix_spawn, pipes and poll: the standard library's own module costs 8 ms to import, which
is a fifth of a `status`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dataver.errors import LocalIOError, local_error

StrOrBytes = str | bytes
Environment = Mapping[str, str]

_CHUNK = 1 << 16
_ERROR_LIMIT = 1 << 16
_NUDGE_S = 1.0
# Python ignores these two, and a child would inherit that.
_RESET_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)

# Our ends of all children's pipes.
_ours: set[int] = set()


def _let_go_in_child() -> None:
    # A forked worker that kept them would keep a child from seeing the end of its input.
    for fd in _ours:
        with contextlib.suppress(OSError):
            os.close(fd)
    _ours.clear()


os.register_at_fork(after_in_child=_let_go_in_child)


class Completed(NamedTuple):
    """How a program ended: its exit status, or the negative number of the signal that killed it."""

    status: int
    stdout: bytes
    stderr: bytes


class Conversation:
    """A child process that is written to and read from; a context manager that ends it.

    Reading and writing never deadlock: whatever the child writes is taken in while we write.  One
    call that takes more than *timeout_s* seconds kills the child and raises `LocalIOError`.
    """

    def __init__(
        self,
        argv: Sequence[StrOrBytes],
        *,
        cwd: str | None = None,
        env: Environment | None = None,
        timeout_s: float = 600.0,
    ) -> None:
        self.name = os.fsdecode(argv[0])
        self._timeout_s = timeout_s
        self._out = bytearray()
        self._err = bytearray()
        self._status: int | None = None
        self._pid, self._stdin, self._stdout, self._stderr = _spawn(argv, cwd, env)
        self._poll = select.poll()
        for fd in (self._stdout, self._stderr):
            self._poll.register(fd, select.POLLIN)
        self._open = {self._stdout, self._stderr}
        self._deadline = time.monotonic() + timeout_s

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def write(self, data: bytes) -> None:
        """Send all of *data*; what a child that has ended would have read is dropped."""
        rest = memoryview(data)
        self._deadline = time.monotonic() + self._timeout_s
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            rest = rest[os.write(self._stdin, rest) :]
        if not rest:
            return
        self._poll.register(self._stdin, select.POLLOUT)
        try:
            while rest:
                if not self._turn(writing=True):
                    continue
                try:
                    rest = rest[os.write(self._stdin, rest[:_CHUNK]) :]
                except BlockingIOError:
                    continue
                except BrokenPipeError:
                    return
        finally:
            self._poll.unregister(self._stdin)

    def end_input(self) -> None:
        """Let the child see the end of its input."""
        if self._stdin >= 0:
            _ours.discard(self._stdin)
            os.close(self._stdin)
            self._stdin = -1

    def read_exactly(self, size: int) -> bytes:
        """Return the next *size* bytes; fewer only where the child's output ended."""
        self._deadline = time.monotonic() + self._timeout_s
        while len(self._out) < size and self._stdout in self._open:
            self._turn()
        found = bytes(self._out[:size])
        del self._out[:size]
        return found

    def read_line(self) -> bytes:
        """Return the next line without its newline; empty where the child's output ended."""
        self._deadline = time.monotonic() + self._timeout_s
        searched = 0
        while (end := self._out.find(b"\n", searched)) < 0:
            searched = len(self._out)
            if self._stdout not in self._open:
                return self.read_exactly(searched)
            self._turn()
        line = bytes(self._out[:end])
        del self._out[: end + 1]
        return line

    def finish(self) -> Completed:
        """End the child's input, read all that it still says, and return how it ended."""
        self.end_input()
        self._deadline = time.monotonic() + self._timeout_s
        while self._open:
            self._turn()
        pause = 0.0001
        while not self._reap():
            self._check_deadline()
            time.sleep(pause)
            pause = min(pause * 2, 0.02)
        self._close_pipes()
        assert self._status is not None
        return Completed(self._status, bytes(self._out), bytes(self._err))

    close = finish

    def kill(self) -> None:
        """End the child at once, where it still runs."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            while self._status is None:
                self._wait(0)
        self._close_pipes()

    def _turn(self, *, writing: bool = False) -> bool:
        """Take in what the child says; return whether it listens."""
        self._check_deadline()
        wait_s = min(_NUDGE_S, max(0.0, self._deadline - time.monotonic()))
        events = self._poll.poll(wait_s * 1000)
        if not events and self._reap():
            # The child is gone, but a grandchild that it left behind keeps our pipes open.
            for fd in tuple(self._open):
                self._drop(fd)
        listens = False
        for fd, _ in events:
            if fd == self._stdin:
                listens = True
                continue
            try:
                data = os.read(fd, _CHUNK)
            except BlockingIOError:
                continue
            if not data:
                self._drop(fd)
            elif fd == self._stdout:
                self._out += data
            elif len(self._err) < _ERROR_LIMIT:
                self._err += data
        return listens or (writing and not self._open)

    def _drop(self, fd: int) -> None:
        self._poll.unregister(fd)
        self._open.discard(fd)

    def _reap(self) -> bool:
        if self._status is None:
            self._wait(os.WNOHANG)
        return self._status is not None

    def _wait(self, options: int) -> None:
        try:
            pid, status = os.waitpid(self._pid, options)
        except ChildProcessError:  # somebody ignores SIGCHLD: how the child ended is lost
            self._status = 0
            return
        if pid:
            self._status = os.waitstatus_to_exitcode(status)

    def _check_deadline(self) -> None:
        if time.monotonic() > self._deadline:
            self.kill()
            raise LocalIOError(self.name, f"was not done after {self._timeout_s:.0f} s and was ended")

    def _close_pipes(self) -> None:
        self.end_input()
        for fd in (self._stdout, self._stderr):
            if fd >= 0:
                _ours.discard(fd)
                os.close(fd)
        self._stdout = self._stderr = -1
        self._open.clear()


def run(
    argv: Sequence[StrOrBytes],
    *,
    stdin: bytes = b"",
    cwd: str | None = None,
    env: Environment | None = None,
    timeout_s: float = 600.0,
) -> Completed:
    """Run a program to its end and return its exit status and all that it said.

    *env* replaces the whole environment.  With *cwd* the program is started through a shell's
    `cd`, since posix_spawn cannot: where the program has an option of its own (git -C), use that.

    Raises: `LocalIOError` where the program is missing, or not done after *timeout_s* seconds.
    """
    with Conversation(argv, cwd=cwd, env=env, timeout_s=timeout_s) as conversation:
        if stdin:
            conversation.write(stdin)
        return conversation.finish()


def _pipe() -> tuple[int, int]:
    """Return a pipe whose descriptors are not 0, 1 or 2: those are overwritten in the child."""
    ends: list[int] = []
    for fd in os.pipe():
        if fd <= 2:
            ends.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3))
            os.close(fd)
        else:
            ends.append(fd)
    return ends[0], ends[1]


def _spawn(argv: Sequence[StrOrBytes], cwd: str | None, env: Environment | None) -> tuple[int, int, int, int]:
    program = argv[0]
    if cwd is not None:
        shell = ["/bin/sh", "-c", 'cd -- "$1" && shift && exec "$@"', "sh", os.path.abspath(cwd)]
        argv = [*shell, *argv]
    (in_read, in_write), (out_read, out_write), (err_read, err_write) = _pipe(), _pipe(), _pipe()
    theirs, ours = (in_read, out_write, err_write), (in_write, out_read, err_read)
    actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(theirs)]
    try:
        pid = os.posix_spawnp(
            argv[0],
            tuple(argv),
            os.environ if env is None else env,
            file_actions=actions,
            setsigdef=_RESET_SIGNALS,
        )
    except OSError as error:
        for fd in ours:
            os.close(fd)
        if error.errno == errno.ENOENT:
            raise LocalIOError(program, "no such program is installed") from error
        raise local_error(error, program, "run") from error
    finally:
        for fd in theirs:
            os.close(fd)
    _ours.update(ours)
    for fd in ours:
        os.set_blocking(fd, False)
    return pid, in_write, out_read, err_read
