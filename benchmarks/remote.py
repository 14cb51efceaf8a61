"""dataver beside DVC and a bare client on one S3 server on loopback: `python -m benchmarks.remote`.

Client CPU, wall, requests as the server logged them, and bytes as loopback carried them (both ways,
headers included).  The server runs on the same machine, so wall seconds say the least.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from benchmarks.data import Shape, edit_file, prove, write_data
from benchmarks.measure import CommandFailedError, TimeIsUpError, measure
from benchmarks.peers import TOOLS, Found, Missing, find_tool
from benchmarks.remote_loops import LOOPS
from benchmarks.remote_page import Case, Figure, page, scaled
from benchmarks.remote_targets import judge
from benchmarks.scenarios import GIB, KIB
from tests.servers.moto import moto
from tests.servers.server import Server

_TOP = Path(__file__).resolve().parents[1]
_PAGE = _TOP / "docs" / "benchmarks-remote.md"
_TIMEOUT_S = 1800.0
_GIT = {
    "GIT_AUTHOR_NAME": "Bench", "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "Bench", "GIT_COMMITTER_EMAIL": "bench@example.org",
}  # fmt: skip

_ALL = ("push", "push-nothing", "status-remote", "pull", "pull-nothing")
CASES = (
    Case("small", Shape(10, 1000, 4 * KIB), _ALL, ("dataver", "dvc", "boto3")),
    Case("medium", Shape(10, 200, 100 * KIB), _ALL, ("dataver", "dvc", "boto3")),
    Case("many", Shape(100, 1000, 4 * KIB), ("push", "fetch-one-fresh", "pull", "fetch-one"), ("dataver",)),
    Case(
        "one",
        Shape(0, 0, GIB),
        ("push", "pull", "push-changed", "pull-changed"),
        ("dataver", "dvc", "boto3", "obstore"),
    ),
)
_COMMANDS = {
    ("dataver", "push"): ("push",),
    ("dataver", "push-nothing"): ("push",),
    ("dataver", "push-changed"): ("push",),
    ("dataver", "status-remote"): ("status", "--remote"),
    ("dataver", "pull"): ("pull",),
    ("dataver", "pull-nothing"): ("pull",),
    ("dataver", "pull-changed"): ("pull",),
    ("dataver", "fetch-one-fresh"): ("fetch", "data/folder-0000/file-000001.bin"),
    ("dataver", "fetch-one"): ("fetch", "data"),
    ("dvc", "push"): ("push", "-q"),
    ("dvc", "push-nothing"): ("push", "-q"),
    ("dvc", "push-changed"): ("push", "-q"),
    ("dvc", "status-remote"): ("status", "-c"),
    ("dvc", "pull"): ("pull", "-q"),
    ("dvc", "pull-nothing"): ("pull", "-q"),
    ("dvc", "pull-changed"): ("pull", "-q"),
}


class _Meter:
    """What the server and loopback say of a run."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def requests(self) -> int:
        return self._log.read_bytes().count(b"HTTP/1.1")

    def moved(self) -> int:
        for line in Path("/proc/net/dev").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name.strip() == "lo":
                return int(rest.split()[0])
        return 0


class _Play:
    """One tool's repository for one case."""

    def __init__(
        self, case: Case, tool: str, found: Found | None, server: Server, folder: Path, log: Path
    ) -> None:
        self.case, self.tool, self.found, self.server, self.folder = case, tool, found, server, folder
        self.meter = _Meter(log)
        self.url = server.fresh_bucket()
        self.work, self.clone = folder / "work", folder / "clone"
        home = folder / "home"
        home.mkdir(parents=True)
        path = (
            os.environ["PATH"]
            if found is None
            else f"{Path(found.exe).parent}{os.pathsep}{os.environ['PATH']}"
        )
        self.environment: Mapping[str, str] = {
            **_GIT, **server.environment, "PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8",
            "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": f"{home}/site",
        }  # fmt: skip

    def prepare(self, seed: int) -> None:
        """Write the data and add it, off the clock."""
        self.work.mkdir()
        write_data(self.work / "data", self.case.shape, "random", seed)
        if self.found is None:
            return
        self._quiet("git", "init", "-q", "-b", "main")
        if self.tool == "dataver":
            self._quiet(self.found.exe, "init", "-q")
            self._quiet(self.found.exe, "remote", "add", "-q", "origin", f"{self.url}/bench")
        else:
            self._quiet(self.found.exe, "init", "-q")
            self._quiet(self.found.exe, "config", "core.analytics", "false")
            self._quiet(self.found.exe, "remote", "add", "-q", "-d", "origin", f"{self.url}/bench")
            endpoint = self.server.endpoint
            self._quiet(self.found.exe, "remote", "modify", "-q", "origin", "endpointurl", endpoint)
        self._record()

    def _record(self) -> None:
        assert self.found is not None
        self._quiet(self.found.exe, "add", "-q", "data")
        self._quiet("git", "add", "-A", ".")
        self._quiet("git", "commit", "-q", "-m", "data")

    def _quiet(self, *argv: str, where: Path | None = None) -> None:
        measure(argv, where or self.work, self.environment, _TIMEOUT_S, has_orphans=False)

    def _set(self, step: str, seed: int) -> Path:
        """Bring about what *step* begins with, off the clock; return where it is played."""
        if step in ("pull", "fetch-one-fresh"):
            shutil.rmtree(self.clone, ignore_errors=True)
            if self.found is None:
                self.clone.mkdir()
            else:
                self._quiet("git", "clone", "-q", str(self.work), str(self.clone), where=self.folder)
            return self.clone
        if step == "push-changed" or step == "fetch-one":
            edit_file(self.work / "data", self.case.shape, seed, 1)
            self._record()
        if step == "fetch-one":
            assert self.found is not None
            self._quiet(self.found.exe, "push", "-q")
        if step in ("pull-changed", "fetch-one"):
            self._quiet("git", "pull", "-q", where=self.clone)
            return self.clone
        return self.clone if step == "pull-nothing" else self.work

    def run(self, step: str, seed: int) -> Figure:
        """Play one step and return what it cost.  Raises: CommandFailedError, TimeIsUpError."""
        where = self._set(step, seed)
        if self.found is None:
            bucket = self.url.partition("://")[2]
            target = self.work / "data" if step == "push" else self.clone
            argv: tuple[str, ...] = (
                sys.executable,
                "-c",
                LOOPS[self.tool, step],
                str(target),
                bucket,
                "bench",
            )
        else:
            argv = (self.found.exe, *_COMMANDS[self.tool, step])
        requests, moved = self.meter.requests(), self.meter.moved()
        cost = measure(argv, where, self.environment, _TIMEOUT_S, has_orphans=False)
        if step == "pull" and self.found is not None:
            assert prove(self.clone / "data") == prove(self.work / "data"), (
                "another result than what was pushed"
            )
        return Figure(
            self.case.name, self.tool, step, cost.user_s + cost.system_s, cost.wall_s, cost.peak,
            self.meter.requests() - requests, self.meter.moved() - moved,
        )  # fmt: skip

    def steps(self) -> Iterator[str]:
        """Yield the steps that this tool has."""
        for step in self.case.steps:
            if (self.tool, step) in _COMMANDS or (self.tool, step) in LOOPS:
                yield step


def main() -> int:
    """Measure, and write the page.  Returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.remote", description=__doc__)
    parser.add_argument("--only", default="", help="cases, comma-separated: small, medium, many, one")
    parser.add_argument("--repeats", type=int, default=3, help="runs of dataver")
    parser.add_argument("--peer-repeats", type=int, default=1, help="runs of the others, which take minutes")
    parser.add_argument("--scale", type=float, default=1.0, help="times the number of files, or the size")
    parser.add_argument("--dvc", default=None, help="path of the dvc to measure")
    parser.add_argument("--scratch", default=None, help="where to work; best a file system in memory")
    parser.add_argument("--json", default=None, help="where to write the raw figures")
    parser.add_argument("--page", default=str(_PAGE))
    given = parser.parse_args()
    wanted = [word for word in given.only.split(",") if word]
    tools: dict[str, Found | None] = {"boto3": None, "obstore": None}
    for name, path in (("dataver", None), ("dvc", given.dvc)):
        found = find_tool(TOOLS[name], path)
        if isinstance(found, Missing):
            print(f"{name}: {found.reason}", file=sys.stderr)
        else:
            tools[name] = found
    figures: list[Figure] = []
    for case in CASES:
        if wanted and case.name not in wanted:
            continue
        figures += list(_measured(scaled(case, given.scale), tools, given))
        if given.json:
            Path(given.json).write_text(json.dumps([asdict(figure) for figure in figures], indent=1))
    Path(given.page).write_text(page(CASES, figures, tools, given.scale, judge(CASES, figures)))
    return 0


def _measured(case: Case, tools: Mapping[str, Found | None], given: argparse.Namespace) -> Iterator[Figure]:
    """Yield the figures of one case; the tools take turns, and each repetition has a fresh bucket."""
    for number in range(given.repeats):
        for tool in case.tools:
            if tool not in tools or (tool != "dataver" and number >= given.peer_repeats):
                continue
            # A server for each: what the one before it left in its memory counts for nobody.
            with tempfile.TemporaryDirectory(dir=given.scratch) as scratch:
                folder = Path(scratch)
                with moto(folder) as server:
                    play = _Play(case, tool, tools[tool], server, folder / "play", folder / "moto.log")
                    try:
                        play.prepare(number)
                        for step in play.steps():
                            figure = play.run(step, number)
                            print(figure.shown, file=sys.stderr)
                            yield figure
                    except (CommandFailedError, TimeIsUpError) as error:
                        print(f"{case.name} {tool}: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
