"""One unit: a tool plays a scenario's steps in order on a fresh stage, and proves what it gave back."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.data import Flavour, Proof, edit_file, folder_size, prove, write_data
from benchmarks.measure import Cost, sync_folder
from benchmarks.peers import Argv, Tool
from benchmarks.results import Sample
from benchmarks.scenarios import Scenario
from benchmarks.stage import Stage

_FIRST_RANDOM_EDIT = 1000


class WrongDataError(Exception):
    """A tool did not give back what it was given, so its time means nothing."""

    def __init__(self, step: str, expected: Proof, found: Proof) -> None:
        super().__init__(f"after {step} the data is not what was added: {found}, expected {expected}")


@dataclass(slots=True)
class Bench:
    """One tool in one scenario on one stage; *keep* hears of every sample that counts."""

    scenario: Scenario
    tool: Tool
    stage: Stage
    flavour: Flavour
    seed: int
    keep: Callable[[Sample], None]
    edit_metadata: list[int] = field(default_factory=list)
    _is_edited: bool = False
    _proof: Proof | None = None

    def play(self, is_wanted: Callable[[str], bool]) -> None:
        """Play the steps up to the last wanted one and keep the samples of those that are.

        Raises: CommandFailedError, TimeIsUpError, WrongDataError.
        """
        steps = [step for step in self.scenario.steps if step in self.tool.steps]
        while steps and not is_wanted(steps[-1]):
            steps.pop()
        if not steps:
            return
        self._prepare()
        for step in steps:
            self._set_up(step)
            if step == "edits":
                self._play_edits()
                continue
            for run in range(self.scenario.runs + (self.scenario.runs > 1)):
                sample = self._time(step)
                if is_wanted(step) and (run > 0 or self.scenario.runs == 1):  # the first of several warms up
                    self.keep(sample)
            self._conclude(step)

    def _prepare(self) -> None:
        self._run_all((("git", "init", "-q", "."), *self.tool.setup))
        write_data(self.stage.target, self.scenario.shape, self.flavour, self.seed)
        if self.scenario.name == "startup":  # its steps want a repository that already holds something
            self._run_all((self.tool.steps["add"], *self.tool.commit))

    def _set_up(self, step: str) -> None:
        """Bring about, off the clock, what *step* begins with."""
        if step in ("status-one", "add-one") and not self._is_edited:
            self._edit(0)
            self._is_edited = True
        elif step == "checkout":
            self._drop_data()
        elif step == "pull":
            for argv in self.tool.clone:
                self.stage.run(argv, "root")
            for argv in self.tool.settle:
                self.stage.run(argv, "clone")
        elif step == "pull-one":
            self._proof = prove(self.stage.target)
            for argv in self.tool.update:
                self.stage.run(argv, "clone")

    def _conclude(self, step: str) -> None:
        """Do, off the clock, what a user does after *step*, or check what it did."""
        if step in ("add", "add-one"):
            self._run_all(self.tool.commit)
        elif step == "checkout":
            self._check(step, self.stage.target)
        elif step in ("pull", "pull-one"):
            self._check(step, self.stage.clone / self.stage.target.name)

    def _time(self, step: str) -> Sample:
        sync_folder(self.stage.root)  # what earlier steps left to write is not this step's burden
        sent_before = folder_size(self.stage.remote) if step.startswith("push") else None
        cost = self.stage.run(self.tool.steps[step], "clone" if step.startswith("pull") else "work")
        sync_s = sync_folder(self.stage.root)
        sent = None if sent_before is None else folder_size(self.stage.remote) - sent_before
        return sample_of(step, cost, sync_s, sent)

    def _play_edits(self) -> None:
        """Add one edited file after another and note how the cache grew beyond the file's bytes."""
        cache = Path(self.stage.fill(self.tool.cache))
        size_before = folder_size(cache)
        for edit in range(self.scenario.edits):
            path = self._edit(_FIRST_RANDOM_EDIT + edit)
            cost = self.stage.run(
                self.tool.steps["edits"], "work", path=str(path.relative_to(self.stage.work))
            )
            size = folder_size(cache)
            self.edit_metadata.append(size - size_before - path.stat().st_size)
            size_before = size
            self.keep(sample_of("edits", cost, 0.0, None))

    def _edit(self, edit: int) -> Path:
        return edit_file(self.stage.target, self.scenario.shape, self.seed, edit)

    def _drop_data(self) -> None:
        self._proof = prove(self.stage.target)
        if self.stage.target.is_dir():
            shutil.rmtree(self.stage.target)
        else:
            self.stage.target.unlink()

    def _check(self, step: str, place: Path) -> None:
        found = prove(place)
        if self._proof is not None and found != self._proof:
            raise WrongDataError(step, self._proof, found)

    def _run_all(self, commands: tuple[Argv, ...]) -> None:
        for argv in commands:
            self.stage.run(argv, "work")


def sample_of(step: str, cost: Cost, sync_s: float, sent: int | None) -> Sample:
    """Write down what *step* cost."""
    return Sample(step, cost.user_s, cost.system_s, cost.wall_s, sync_s, cost.peak, cost.peak_tree, sent)
