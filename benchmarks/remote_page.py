"""What is measured against an S3 server, and the page that says what it came to."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.data import Shape
from benchmarks.peers import Found
from benchmarks.scenarios import MIB, size_text
from benchmarks.targets import Verdict


@dataclass(frozen=True, slots=True)
class Case:
    """Data of one shape, and the steps played on it, in order."""

    name: str
    shape: Shape
    steps: tuple[str, ...]
    tools: tuple[str, ...]


TITLES = {
    "push": "push",
    "push-nothing": "push, nothing new",
    "status-remote": "status against the remote, nothing new",
    "pull": "pull into an empty clone",
    "pull-nothing": "pull, nothing new",
    "fetch-one-fresh": "fetch of one file, in a fresh clone",
    "fetch-one": "fetch of one new file, in a clone that has fetched before",
    "push-changed": "push of a version with 1 MiB changed in the middle",
    "pull-changed": "pull of that version",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One run of one step."""

    case: str
    tool: str
    step: str
    cpu_s: float
    wall_s: float
    peak: int
    requests: int
    moved: int
    """Bytes over loopback, both ways."""

    @property
    def shown(self) -> str:
        """Say it in a line."""
        cost = (
            f"{self.cpu_s:.2f} s CPU, {self.wall_s:.2f} s, {self.requests} requests, {size_text(self.moved)}"
        )
        return f"{self.case} {self.tool} {self.step}: {cost}"


def scaled(case: Case, scale: float) -> Case:
    """Return *case* with its number of files, or the size of its one file, times *scale*."""
    shape = case.shape
    if not shape.folders:
        shape = Shape(0, 0, max(int(shape.size * scale), 16 * MIB))
    elif scale != 1:
        shape = Shape(shape.folders, max(int(shape.per_folder * scale), 2), shape.size)
    return Case(case.name, shape, case.steps, case.tools)


def page(
    cases: Sequence[Case],
    figures: list[Figure],
    tools: Mapping[str, Found | None],
    scale: float,
    verdicts: Sequence[Verdict],
) -> str:
    """Return the page in Markdown."""
    lines = [
        "# Benchmarks on S3",
        "",
        "Written by `make bench-remote`; do not edit. S3 is moto on loopback, on the same machine and",
        "unencrypted: CPU seconds are the client's own, wall seconds have the server's work in them.",
        "Requests are the server's count, bytes loopback's, both ways. Medians; the tools took turns.",
        "",
        f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, "
        + ", ".join(
            f"{name} {found.version.removeprefix(name).strip()}"
            for name, found in sorted(tools.items())
            if found is not None
        )
        + (f"; scale {scale}" if scale != 1 else ""),
    ]
    if scale == 1:
        lines += ["", "| dataver | at most | measured | verdict |", "| --- | --- | --- | --- |"]
        lines += [f"| {v.what} | {v.limit_text} | {v.measured_text} | {v.text} |" for v in verdicts]
    for case in cases:
        of_case = [figure for figure in figures if figure.case == case.name]
        if not of_case:
            continue
        shape = scaled(case, scale).shape
        title = (
            f"{shape.files:,} files of {size_text(shape.size)}"
            if shape.folders
            else f"One file of {size_text(shape.size)}"
        )
        lines += ["", f"## {title}", "", "| step | tool | CPU s | wall s | requests | bytes | peak memory |",
                  "| --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
        for step in case.steps:
            for tool in case.tools:
                runs = [figure for figure in of_case if (figure.tool, figure.step) == (tool, step)]
                if runs:
                    lines.append(_row(step, tool, runs, of_case))
    return "\n".join(lines) + "\n"


def _row(step: str, tool: str, runs: list[Figure], of_case: list[Figure]) -> str:
    def middle(measure: Callable[[Figure], float]) -> float:
        return median(map(measure, runs))

    cpu_s, wall_s = middle(lambda f: f.cpu_s), middle(lambda f: f.wall_s)
    own = [f for f in of_case if (f.tool, f.step) == ("dataver", step)]
    ratio = ["", ""]
    if tool != "dataver" and own:
        ratio = [
            f" ({cpu_s / median(f.cpu_s for f in own):.1f}x)",
            f" ({wall_s / median(f.wall_s for f in own):.1f}x)",
        ]
    return (
        f"| {TITLES[step]} | {tool} | {cpu_s:.2f}{ratio[0]} | {wall_s:.2f}{ratio[1]} "
        f"| {middle(lambda f: f.requests):.0f} | {size_text(middle(lambda f: f.moved))} "
        f"| {size_text(middle(lambda f: f.peak))} |"
    )
