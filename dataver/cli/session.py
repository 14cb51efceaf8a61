"""One run of the program: where errors become exit codes and documents, and output is written.

The only module that writes to stdout and stderr (the progress bar apart), and the only one of
`cli` that catches what the library raises.  An exception that is none of ours is a defect: it
ends with `error[bug]` and exit status 70, which no promise uses.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import dataver
from dataver.cli.arguments import Globals, is_json_wanted, take_globals
from dataver.cli.catalog import PLUMBING
from dataver.cli.signals import Interrupted
from dataver.cli.suggest import check_command, hint_of
from dataver.errors import (
    DataverError,
    DiskFullError,
    Failure,
    LocalIOError,
    PermissionDeniedError,
    UsageError,
)
from dataver.progress import SILENT, Progress

if TYPE_CHECKING:
    from dataver import Repo, Result
    from dataver.cli.wording import Page

R = TypeVar("R", bound="Result")
BUG_STATUS = 70
"""`EX_SOFTWARE` of sysexits.h."""
_PAINT = {"error[": "\x1b[1;31m", "warning[": "\x1b[33m", "hint:": "\x1b[36m", "Next:": "\x1b[36m"}
_PAINT_OFF = "\x1b[0m"


class Session:
    """One run: the global options, and where its output goes."""

    def __init__(self, options: Globals) -> None:
        self.options = options

    def repo(self) -> Repo:
        """Open the repository that the current folder lies in."""
        timeout = self.options.lock_timeout
        return dataver.Repo.open(".", overrides={"core.lock_timeout": timeout} if timeout else None)

    def progress(self) -> Progress:
        """Return where the verbs report how far they are."""
        if self.options.is_quiet:
            return SILENT
        from dataver.cli.bars import Bars  # small, but `status --porcelain` counts milliseconds

        return Bars(sys.stderr, is_drawn=self.options.has_progress)

    # -- what a command says

    def show(self, verb: str, result: R, text: Callable[[R], Page], *, exit_status: int | None = None) -> int:
        """Print *result* as text or as a document, list what failed, and return the exit status."""
        status = result.exit_status if exit_status is None else exit_status
        if self.options.is_json:
            from dataver.cli import documents  # json is not needed for text

            self.write(documents.document(verb, result, status))
        else:
            self.print_page(text(result))
        self._list(result.warnings, "warning")
        self._list(result.failed, "error")
        return status

    def say(self, verb: str, data: dict[str, Any], page: Page) -> int:
        """Print what a command without a result has to say."""
        if self.options.is_json:
            from dataver.cli import documents  # json is not needed for text

            self.write(documents.plain_document(verb, data))
        else:
            self.print_page(page)
        return 0

    def print_page(self, page: Page) -> None:
        """Print lines to stdout and notes to stderr, as `--quiet` allows."""
        if page.lines and (page.is_data or not self.options.is_quiet):
            sys.stdout.write("\n".join([*page.lines, ""]))
            sys.stdout.flush()
        if not self.options.is_quiet:
            self.tell(page.notes)

    def write(self, data: bytes) -> None:
        """Write bytes to stdout as they are."""
        sys.stdout.buffer.write(data)

    def tell(self, lines: Iterable[str]) -> None:
        """Print lines to stderr, with colour where it is wanted."""
        painted = [self._painted(line) for line in lines]
        if painted:
            sys.stderr.write("\n".join([*painted, ""]))
            sys.stderr.flush()

    def _painted(self, line: str) -> str:
        start = next((start for start in _PAINT if line.startswith(start)), "")
        if not start or not _is_coloured(self.options.color):
            return line
        end = line.find(":") + 1
        return f"{_PAINT[start]}{line[:end]}{_PAINT_OFF}{line[end:]}"

    def _list(self, failures: Sequence[Failure], word: str) -> None:
        """Print one line a failure, those of one hint together and the hint once."""
        if word == "warning" and self.options.is_quiet:
            return
        by_hint: dict[str, list[Failure]] = {}
        for failure in failures:
            by_hint.setdefault(failure.hint, []).append(failure)
        for hint, group in by_hint.items():
            self.tell(_failure_line(failure, word) for failure in group)
            if hint:
                self.tell([f"hint: {hint}"])

    # -- how a run ends badly

    def report(self, error: DataverError) -> int:
        """Print *error* and return its exit status."""
        return self._fail(error.code, error.message, hint_of(error), error.exit_status)

    def report_interrupt(self, status: int) -> int:
        """Print that the run was stopped, and return the exit status of that."""
        return self._fail("interrupted", "stopped before the end", "run the same command to go on", status)

    def report_bug(self, error: Exception) -> int:
        """Print that an exception that is none of ours escaped."""
        where = "an unknown place"
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if f"{os.sep}dataver{os.sep}" in code.co_filename:
                where = f"{code.co_filename.rpartition(f'{os.sep}dataver{os.sep}')[2]}:{trace.tb_lineno}"
            trace = trace.tb_next
        what = f"a defect in dataver {dataver.__version__}: {type(error).__name__} at {where}"
        return self._fail("bug", what, "run it again with --debug and report what that prints", BUG_STATUS)

    def _fail(self, code: str, message: str, hint: str, status: int) -> int:
        if self.options.is_debug and sys.exc_info()[0] is not None:
            import traceback  # only for --debug

            traceback.print_exc()
        if self.options.is_json:
            from dataver.cli import documents  # json is not needed for text

            self.write(documents.error_document(code, message, hint, status))
        self.tell([f"error[{code}]: {message}", *([f"hint: {hint}"] if hint else [])])
        return status


def run(argv: Sequence[str]) -> int:
    """Run the command that *argv* (without the program's name) calls, and return the exit status."""
    _relax_collector()
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is shown escaped rather than ending the run.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    session = Session(Globals(is_json=is_json_wanted(argv) and argv[0] not in PLUMBING))
    try:
        status = _run_guarded(session, argv)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Who read our output has seen enough.  What is still buffered must not fail at exit.
        _discard_output()
        return 0
    except OSError as error:
        _discard_output()
        session.options = session.options._replace(is_json=False)
        failure = _local_error(error, "standard output", "write")
        failure.hint = ""  # whatever frees room in a cache: it is not what is full
        return session.report(failure)


def _run_guarded(session: Session, argv: Sequence[str]) -> int:
    """Run the command; whatever it raises becomes a report, but for a pipe that nobody reads."""
    try:
        if argv and argv[0] in PLUMBING:
            # What Git and the shells hand over is theirs, whatever it looks like.
            return _dispatch(session, list(argv))
        session.options, words = take_globals(argv)
        return _dispatch(session, words)
    except BrokenPipeError:
        raise
    except Interrupted as stop:
        return session.report_interrupt(stop.exit_status)
    except KeyboardInterrupt:
        return session.report_interrupt(130)
    except DataverError as error:
        return session.report(error)
    except OSError as error:
        if error.filename is None:
            raise  # written to stdout: `run` says so
        return session.report(_local_error(error, os.fspath(error.filename), "use"))
    except Exception as error:  # noqa: BLE001 - the outermost door: a person never sees a Python exception
        return session.report_bug(error)


def _local_error(error: OSError, path: str | bytes, action: str) -> DataverError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PermissionDeniedError(path, action)
    return LocalIOError(path, error.strerror or "cannot be used")


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(session: Session, words: list[str]) -> int:
    options = session.options
    if options.folder:
        _enter(options.folder)
    if options.is_debug or options.is_verbose:
        _start_log(options)
    from dataver.cli import fast  # imports this module

    status = fast.run(session, words)
    if status is None:
        check_command(words)
        from dataver.cli import app  # Typer: 50 ms that the fast entries do without

        status = app.run(session, words)
    return status


def _enter(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise UsageError(f"cannot run in {folder}: {error.strerror}") from error


def _start_log(options: Globals) -> None:
    """Log to stderr what `dataver` says; what its libraries say may hold credentials."""
    import logging  # 8 ms, only for --verbose and --debug

    log = logging.getLogger("dataver")
    handler = logging.StreamHandler()
    form = "%(asctime)s %(name)s: %(message)s" if options.is_debug else "%(message)s"
    handler.setFormatter(logging.Formatter(form))
    log.handlers[:] = [handler]
    log.setLevel(logging.DEBUG if options.is_debug else logging.INFO)


def _relax_collector() -> None:
    """Collect garbage rarely: a million rows are no cycles, and each collection would visit them."""
    gc.set_threshold(200_000, 50, 1000)


def _is_coloured(color: str) -> bool:
    if color != "auto":
        return color == "always"
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _failure_line(failure: Failure, word: str) -> str:
    shown = dataver.show_path(failure.path)
    where = f"{shown}: " if shown and shown not in failure.message else ""
    return f"{word}[{failure.code}]: {where}{failure.message}"
