"""The raw results: what one unit measured, and the JSON file from which a broken run goes on."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

SCHEMA = "dataver.benchmarks/1"

State = Literal["done", "failed", "cut", "skipped"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one step; seconds and bytes."""

    step: str
    user_s: float
    system_s: float
    wall_s: float
    sync_s: float
    peak: int
    peak_tree: int
    sent: int | None = None
    """By how much the remote grew, for pushes."""

    @property
    def cpu_s(self) -> float:
        """Add up user and system seconds."""
        return self.user_s + self.system_s

    @property
    def synced_s(self) -> float:
        """Wall seconds until the data is on the disk."""
        return self.wall_s + self.sync_s

    @property
    def memory(self) -> int:
        """The larger peak: the sampled sum misses what is short, the largest process its helpers."""
        return max(self.peak, self.peak_tree)


@dataclass(frozen=True, slots=True)
class Unit:
    """One tool playing one scenario once, on a file system of its own."""

    scenario: str
    tool: str
    repetition: int
    state: State
    note: str
    seconds: float
    file_system: str
    run: str
    """When the run began that this unit belongs to."""
    source: str
    """Digest of dataver's source at the time."""
    samples: tuple[Sample, ...] = ()
    edit_metadata: tuple[int, ...] = ()
    """Bytes of new metadata for each single edit."""

    @property
    def key(self) -> tuple[str, str, int]:
        """Name the unit."""
        return (self.scenario, self.tool, self.repetition)

    def has_steps(self, steps: Iterable[str]) -> bool:
        """Say whether every one of *steps* was measured."""
        return {sample.step for sample in self.samples}.issuperset(steps)


@dataclass(frozen=True, slots=True)
class Results:
    """All units of a run with the settings and the machine that they hold for."""

    settings: dict[str, Any]
    machine: dict[str, str]
    tools: dict[str, str]
    """For each tool its version, or why it is missing, by name."""
    units: tuple[Unit, ...] = ()

    def with_unit(self, unit: Unit) -> "Results":
        """Return these results with *unit* instead of an earlier try, whose other steps stay."""
        played = {sample.step for sample in unit.samples}
        for other in self.units:
            if other.key == unit.key and other.source == unit.source:
                kept = tuple(sample for sample in other.samples if sample.step not in played)
                unit = replace(unit, samples=kept + unit.samples)
                unit = replace(unit, edit_metadata=unit.edit_metadata or other.edit_metadata)
        return replace(self, units=(*(other for other in self.units if other.key != unit.key), unit))


def save_results(results: Results, path: Path) -> None:
    """Write *results* as JSON, so that a kill leaves the old file or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps({"schema": SCHEMA, **asdict(results)}, indent=1) + "\n")
    os.replace(partial, path)


def load_results(path: Path) -> Results | None:
    """Read results, or None where there are none of this schema."""
    if not path.is_file():
        return None
    document = json.loads(path.read_text())
    if document.get("schema") != SCHEMA:
        return None
    units = (_parse_unit(unit) for unit in document["units"])
    return Results(document["settings"], document["machine"], document["tools"], tuple(units))


def select_samples(units: Iterable[Unit], scenario: str, tool: str, step: str) -> list[Sample]:
    """Return the samples of one step, of finished and of broken units."""
    return [
        sample
        for unit in units
        if unit.scenario == scenario and unit.tool == tool
        for sample in unit.samples
        if sample.step == step
    ]


def _parse_unit(fields: dict[str, Any]) -> Unit:
    samples = tuple(Sample(**sample) for sample in fields.pop("samples"))
    return Unit(**{**fields, "samples": samples, "edit_metadata": tuple(fields["edit_metadata"])})
