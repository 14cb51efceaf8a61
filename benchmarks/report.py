"""The page docs/benchmarks.md, made from raw results alone; the only module that knows how it looks."""

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.peers import TOOLS
from benchmarks.results import Results, Unit, select_samples
from benchmarks.scenarios import SCENARIOS, STEP_TITLES, Scenario, scale_scenario, size_text
from benchmarks.targets import Figures, judge

_INTRODUCTION = """\
# Benchmarks

Written by `python -m benchmarks`; do not edit. dataver, DVC and git-lfs play the same steps on the same
generated data, in turn, beside `cp -r`, `git status` and bare `lstat`. The first number to read is CPU
seconds, the next one the ratio: wall seconds on a shared machine say no more than an order of magnitude.
"""

_METHOD = """\
## How it is measured

- A unit is one tool playing one scenario from its beginning on a file system made for it (a loop ext4 as
  root, else tmpfs, else a folder). The tools take turns, the next repetition begins with another tool,
  figures are medians. A tool that no target names in a scenario plays it once; so does the million.
- CPU is user and system time of the whole process tree (`wait4`), daemons left behind included. Peak memory
  is the largest seen of two: the resident set of the largest process, and the sum over the tree of
  proportional set sizes, sampled every 0.2 s. Below about 30 MB it is that of the measuring program.
- Before each step everything is written back. The sync after a step is timed by itself: "wall" is without
  it, where a target names a sync it is counted on both sides. The page cache is warm for everybody.
- After `checkout` and `pull` the files are counted, their sizes summed and every 200th compared; a tool that
  returns something else is named as failed.
- Data is random and does not compress, unless the settings say text. What a push sent is by how much the
  remote grew; git-lfs hardlinks into a remote on the same disk, so its push of a large file costs nothing.
- Every tool copies to the workspace (no links, no reflinks), has its analytics and Git's background
  maintenance turned off, and a home of its own. The clone is made off the clock; for git-lfs without its
  data, which `git lfs pull` then gets. Git commits are off the clock, so git-lfs does not pay for what Git
  does at the commit.
- "bare `os.lstat`" is the loop alone, in Python, over a list known before. "beyond start-up" takes the CPU of
  `dataver status` in a small repository away.
- New metadata of an edit is the growth of dataver's cache less the bytes of the edited file.

## Run it

```console
$ make bench                                 # all but the million files; at most 25 minutes
$ make bench ARGS=--million                  # the million files too; what is already measured is kept
$ python -m benchmarks --quick               # seconds; writes no page
$ python -m benchmarks --only small/add      # one step (those before it are played, not kept)
```

A run that was broken off goes on where it stopped; `--fresh` begins anew. Raw figures of every repetition are
in `benchmarks/results/results.json`. `python -m benchmarks --help` has the rest.
"""


def render_report(results: Results, scale: float) -> str:
    """Return the page as Markdown."""
    scenarios = [scale_scenario(scenario, scale) for scenario in SCENARIOS]
    measured = [
        scenario for scenario in scenarios if any(unit.scenario == scenario.name for unit in results.units)
    ]
    parts: list[str] = [_INTRODUCTION, *_facts(results), *_targets(results, scale)]
    for scenario in measured:
        parts += [f"## {scenario.title}\n", *_scenario(results, scenario)]
    parts += [*_troubles(results), _METHOD]
    return "\n".join(parts)


def _facts(results: Results) -> Iterator[str]:
    settings = results.settings
    facts = {**results.machine}
    for name, version in results.tools.items():
        if name != "floor":
            facts[TOOLS[name].title] = version
    kinds = sorted({unit.file_system for unit in results.units if unit.file_system})
    facts["file system"] = ", ".join(kinds) or "none"
    facts["data"] = f"{settings['data']}, seed {settings['seed']}, scale {settings['scale']:g}"
    runs = sorted({unit.run for unit in results.units})
    if len(runs) > 1:
        facts["runs"] = f"{len(runs)}, so not every ratio is of one run: {', '.join(runs)}"
    if len({unit.source for unit in results.units if unit.tool == "dataver"}) > 1:
        facts["source"] = "dataver was changed between runs; `--fresh` measures one state of it"
    yield from _table(("machine", ""), facts.items())


def _targets(results: Results, scale: float) -> Iterator[str]:
    yield "## Targets\n"
    rows = []
    for row in judge(results):
        # At a fraction of the size a verdict would be about start-up, whatever the target names.
        verdict = row.text if scale == 1 or row.what.startswith("start-up") else "not judged at this size"
        rows.append((row.what, row.limit_text, row.measured_text or "-", verdict))
    yield from _table(("dataver", "at most", "measured", "verdict"), rows)


def _scenario(results: Results, scenario: Scenario) -> Iterator[str]:
    figures = Figures(results)
    tools = [
        name for name in scenario.tools
        if name != "floor" and any(unit.key[:2] == (scenario.name, name) for unit in results.units)
    ]  # fmt: skip
    titles = [TOOLS[name].title for name in tools]
    peers = [name for name in tools if name != "dataver"] if "dataver" in tools else []
    steps = [
        step for step in scenario.steps if any(_time(results, scenario, tool, step) != "-" for tool in tools)
    ]
    if steps:
        rows = [
            (
                STEP_TITLES[step],
                *(_time(results, scenario, tool, step) for tool in tools),
                *(_ratio(figures, scenario, peer, step) for peer in peers),
            )
            for step in steps
        ]
        yield "CPU s / wall s / wall and sync s; ratios of CPU:\n"
        yield from _table(("step", *titles, *(f"{TOOLS[peer].title} to dataver" for peer in peers)), rows)
    floors = [step for step in scenario.floors if _time(results, scenario, "floor", step) != "-"]
    if floors:
        rows = [(STEP_TITLES[step], _time(results, scenario, "floor", step)) for step in floors]
        yield from _table(("beside it", "CPU s / wall s / wall and sync s"), rows)
    if steps and scenario.name != "startup":
        memory = [
            (STEP_TITLES[step], *(_memory(figures, scenario, tool, step) for tool in tools)) for step in steps
        ]
        yield from _table(("peak memory, MB", *titles), memory)
    pushes = [step for step in steps if step.startswith("push")]
    if pushes:
        sent = [
            (STEP_TITLES[step], *(_sent(figures, scenario, tool, step) for tool in tools)) for step in pushes
        ]
        yield from _table(("sent", *titles), sent)


def _time(results: Results, scenario: Scenario, tool: str, step: str) -> str:
    samples = select_samples(results.units, scenario.name, tool, step)
    if not samples:
        return "-"
    figures = Figures(results)
    digits = 3 if scenario.name == "startup" else 2
    measures = (lambda s: s.cpu_s, lambda s: s.wall_s, lambda s: s.synced_s)
    values = [figures.median(scenario.name, tool, step, measure) or 0.0 for measure in measures]
    shown = values[:2] if scenario.name == "startup" or step == "lstat" else values
    return " / ".join(f"{value:.{digits}f}" for value in shown)


def _ratio(figures: Figures, scenario: Scenario, peer: str, step: str) -> str:
    own, theirs = figures.median(scenario.name, "dataver", step), figures.median(scenario.name, peer, step)
    return f"{theirs / own:.1f}" if own and theirs is not None else "-"


def _memory(figures: Figures, scenario: Scenario, tool: str, step: str) -> str:
    peak = figures.peak(scenario.name, tool, step)
    return "-" if peak is None else f"{peak / 1e6:.0f}"


def _sent(figures: Figures, scenario: Scenario, tool: str, step: str) -> str:
    sent = figures.sent(scenario.name, tool, step)
    return "-" if sent is None else size_text(sent)


def _troubles(results: Results) -> Iterator[str]:
    troubles: list[Unit] = [unit for unit in results.units if unit.state != "done"]
    if troubles:
        yield "## Not finished\n"
        rows = [
            (
                f"{unit.scenario}, {TOOLS[unit.tool].title}, {unit.repetition + 1}",
                unit.state,
                unit.note,
            )
            for unit in troubles
        ]
        yield from _table(("unit, repetition", "state", "why"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [head, ["---"] * len(head), *rows]
    yield "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
