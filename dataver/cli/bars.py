"""How far a verb is, on stderr: one bar on a terminal, a plain line every 30 s elsewhere.

The only module that imports tqdm, and only when a stage takes long enough to draw a bar.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, TextIO

from dataver.cli.wording import duration, number
from dataver.errors import show_bytes

if TYPE_CHECKING:
    from dataver import Task

FIRST_BAR_S = 0.5
"""A stage shorter than this draws nothing, and never loads tqdm."""
BAR_EVERY_S = 0.1
LINE_EVERY_S = 30.0


class State(NamedTuple):
    """How far a stage is."""

    label: str
    files: int
    total: int
    """0 where it is not known."""
    done: int
    """Bytes."""
    size: int
    """Bytes in all; 0 where that is not known."""
    seconds: float


def share(state: State) -> float | None:
    """Return how much is done, from 0 to 1; None where the total is not known."""
    done, whole = (state.done, state.size) if state.size else (state.files, state.total)
    return min(done / whole, 1.0) if whole else None


def describe(state: State) -> str:
    """Return `600 of 1,204 files, 1.2 of 3.1 GB, 40 MB/s, 0:41 left`, as far as it is known."""
    files = number(state.files) + (f" of {number(state.total)}" if state.total else "")
    parts = [f"{files} files"] if state.files or state.total else []
    if state.done or state.size:
        whole = f" of {show_bytes(state.size)}" if state.size else ""
        parts.append(show_bytes(state.done) + whole)
    if state.done and state.seconds > 0:
        parts.append(f"{show_bytes(round(state.done / state.seconds))}/s")
    done = share(state)
    if done and state.seconds >= 1:
        parts.append(f"{duration(state.seconds / done - state.seconds)} left")
    return ", ".join(parts)


class Bars:
    """A `Progress` that draws on a stream."""

    def __init__(self, stream: TextIO, *, is_drawn: bool = True) -> None:
        self.stream = stream
        self.is_terminal = stream.isatty()
        self._is_drawn = is_drawn
        self._current: _Stage | None = None

    def task(self, label: str, *, total: int = 0, size: int = 0) -> Task:
        """Begin a stage; one inside of another counts, and only the outer one is drawn."""
        stage = _Stage(self, label, total, size)
        if self._current is None and self._is_drawn:
            self._current = stage
            stage.next_draw = stage.begin + (FIRST_BAR_S if self.is_terminal else LINE_EVERY_S)
        return stage

    def note(self, text: str) -> None:
        """Print one line; a bar goes on below it."""
        if self._current is not None:
            self._current.erase()
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def end(self, stage: _Stage) -> None:
        """Forget *stage* and take its bar away."""
        stage.erase()
        if self._current is stage:
            self._current = None


class _Stage:
    """One stage under way."""

    def __init__(self, bars: Bars, label: str, total: int, size: int) -> None:
        self._bars, self._total, self._size = bars, total, size
        self._label = label[:1].upper() + label[1:]
        self._count = self._done = 0
        self._bar: _Bar | None = None
        self.begin = time.monotonic()
        self.next_draw = float("inf")

    def advance(self, count: int = 1, size: int = 0) -> None:
        """Count, and draw when it is time; called for every file, so the clock is all it costs."""
        self._count += count
        self._done += size
        if time.monotonic() >= self.next_draw:
            self._draw()

    def _draw(self) -> None:
        now = time.monotonic()
        state = State(self._label, self._count, self._total, self._done, self._size, now - self.begin)
        if not self._bars.is_terminal:
            self._bars.stream.write(f"{self._label}: {describe(state)}\n")
            self._bars.stream.flush()
            self.next_draw = now + LINE_EVERY_S
            return
        if self._bar is None:
            self._bar = _Bar(self._bars.stream)
        self._bar.draw(state)
        self.next_draw = now + BAR_EVERY_S

    def erase(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> _Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.end(self)


class _Bar:
    """tqdm's drawing, with our own words."""

    def __init__(self, stream: TextIO) -> None:
        from tqdm import tqdm  # 50 ms, paid only by a stage that takes longer

        self._tqdm = tqdm(file=stream, total=1.0, leave=False, dynamic_ncols=True, bar_format=" ")

    def draw(self, state: State) -> None:
        done = share(state)
        # Our words stand in the format itself: tqdm puts a comma before a postfix.
        words = describe(state).replace("{", "{{").replace("}", "}}")
        middle = "{percentage:3.0f}% |{bar}| " if done is not None else ""
        self._tqdm.bar_format = f"{{desc}}  {middle}{words}"
        self._tqdm.n = done or 0.0
        self._tqdm.set_description_str(state.label, refresh=False)
        self._tqdm.refresh()

    def close(self) -> None:
        self._tqdm.close()
