"""Progress: one bar on a terminal, a plain line now and then elsewhere, nothing when it is quick."""

import io
import subprocess
import sys

import pytest

from dataver.cli import bars
from dataver.cli.bars import Bars, State, describe, share


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw at once, and at every step."""
    for name in ("FIRST_BAR_S", "BAR_EVERY_S", "LINE_EVERY_S"):
        monkeypatch.setattr(bars, name, 0.0)


def test_what_is_known_is_described() -> None:
    state = State("Pushing", 600, 1204, 1_200_000_000, 3_100_000_000, 30.0)

    assert describe(state) == "600 of 1,204 files, 1.2 GB of 3.1 GB, 40 MB/s, 0:48 left"


def test_what_is_not_known_is_left_out() -> None:
    assert describe(State("Scanning", 600, 0, 0, 0, 30.0)) == "600 files"


def test_the_share_goes_by_bytes_where_they_are_known() -> None:
    assert share(State("x", 9, 10, 1, 4, 1.0)) == 0.25


def test_the_share_goes_by_files_where_bytes_are_not_known() -> None:
    assert share(State("x", 5, 10, 0, 0, 1.0)) == 0.5


def test_the_share_is_never_above_all() -> None:
    assert share(State("x", 0, 0, 9, 4, 1.0)) == 1.0


def test_a_quick_stage_draws_nothing() -> None:
    stream = Terminal()

    with Bars(stream).task("Hashing", total=3) as task:
        task.advance()

    assert stream.getvalue() == ""


@pytest.mark.usefixtures("impatient")
def test_a_terminal_gets_a_bar_with_files_bytes_and_rate() -> None:
    stream = Terminal()

    with Bars(stream).task("Hashing", total=4, size=400) as task:
        task.advance(1, 100)

    drawn = stream.getvalue()
    assert "Hashing" in drawn
    assert "1 of 4 files, 100 B of 400 B" in drawn


@pytest.mark.usefixtures("impatient")
def test_a_bar_is_taken_away_at_the_end() -> None:
    stream = Terminal()

    with Bars(stream).task("Hashing", total=4) as task:
        task.advance()

    assert stream.getvalue().rstrip(" ").endswith("\r")


@pytest.mark.usefixtures("impatient")
def test_elsewhere_a_plain_line_appears() -> None:
    stream = io.StringIO()

    with Bars(stream).task("Hashing", total=4) as task:
        task.advance(2)

    assert stream.getvalue() == "Hashing: 2 of 4 files\n"


@pytest.mark.usefixtures("impatient")
def test_only_the_outer_of_two_stages_is_drawn() -> None:
    stream = io.StringIO()
    progress = Bars(stream)

    with progress.task("Outer", total=4), progress.task("Inner", total=4) as inner:
        inner.advance()

    assert stream.getvalue() == ""


@pytest.mark.usefixtures("impatient")
def test_no_progress_draws_nothing_and_still_says_notes() -> None:
    stream = Terminal()
    progress = Bars(stream, is_drawn=False)

    with progress.task("Hashing", total=4) as task:
        task.advance()
        progress.note("waiting for another dataver")

    assert stream.getvalue() == "waiting for another dataver\n"


def test_tqdm_is_loaded_only_when_a_bar_is_drawn() -> None:
    program = (
        "import io, sys\n"
        "from dataver.cli.bars import Bars\n"
        "with Bars(sys.stderr).task('x', total=2) as task: task.advance()\n"
        "sys.exit('tqdm' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
