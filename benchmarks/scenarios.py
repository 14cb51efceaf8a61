"""What is measured on what: the scenarios, their data and the order of their steps."""

from dataclasses import dataclass, replace

from benchmarks.data import Shape

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

STEP_TITLES = {
    "add": "add",
    "status-clean": "status, nothing changed",
    "status-one": "status after one change",
    "add-one": "add after one change",
    "push": "push to a folder",
    "push-nothing": "push, nothing new",
    "push-one": "push of the changed version",
    "pull-one": "pull of the changed version",
    "diff": "diff REV REV of one change",
    "checkout": "checkout (copy) into an empty workspace",
    "pull": "pull into an empty clone",
    "pull-nothing": "pull, nothing new",
    "edits": "add of one named file, one of 100 random edits",
    "cp": "`cp -r` of the data",
    "git-status": "`git status`, the same files in plain Git",
    "lstat": "bare `os.lstat` over a known list (the loop alone)",
    "python": "`python -c pass`",
    "help": "`--help`",
    "version": "`--version`",
    "status-small": "`status`, small repository",
    "porcelain": "`status --porcelain`, small repository",
    "textconv": "`git-textconv`, small repository",
}

_FOLDER_STEPS = (
    *("add", "status-clean", "status-one", "add-one", "push", "push-nothing"),
    *("diff", "checkout", "pull", "pull-nothing"),
)  # fmt: skip
_FLOOR_STEPS = ("cp", "git-status", "lstat")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Data of one shape and the steps played on it, in order; *floors* are the steps of the plain tools."""

    name: str
    shape: Shape
    steps: tuple[str, ...]
    floors: tuple[str, ...]
    copies: int
    """How many copies of the data a unit holds at most: workspace, caches, remote, clone, versions."""
    tools: tuple[str, ...] = ("dataver", "dvc", "git-lfs", "floor")
    edits: int = 0
    runs: int = 1
    """How often each step runs within one repetition (start-up is too short to be measured once)."""
    once: tuple[str, ...] = ()
    """Tools that are not played again: they take minutes, and no target names them here."""

    @property
    def title(self) -> str:
        """Say the shape of the data in words."""
        if self.name == "startup":
            return "Start-up"
        if not self.shape.folders:
            return f"One file of {size_text(self.shape.size)}"
        return f"{self.shape.files:,} files of {size_text(self.shape.size)} in {self.shape.folders:,} folders"

    @property
    def disk_bytes(self) -> int:
        """Bound what one unit needs on its file system."""
        blocks = -(-self.shape.size // 4096) * 4096
        return self.copies * self.shape.files * (blocks + 512) + self.inodes * 256 + 256 * MIB

    @property
    def inodes(self) -> int:
        """Bound how many files and folders a unit makes (git-lfs keeps two folders for each object)."""
        return self.shape.files * (5 if "git-lfs" not in self.tools else 12) + 20_000


SCENARIOS = (
    Scenario(
        "startup",
        Shape(1, 10, KIB),
        ("help", "version", "status-small", "porcelain", "textconv"),
        ("python",),
        copies=9,
        runs=7,
    ),
    Scenario("small", Shape(100, 1000, 4 * KIB), _FOLDER_STEPS, _FLOOR_STEPS, copies=9, once=("git-lfs",)),
    Scenario(
        "medium", Shape(100, 200, 100 * KIB), _FOLDER_STEPS, _FLOOR_STEPS, copies=9, once=("dvc", "git-lfs")
    ),
    Scenario(
        "big",
        Shape(0, 0, 2 * GIB),
        ("add", "checkout", "push", "pull", "add-one", "push-one", "pull-one"),
        ("cp",),
        copies=9,
        once=("dvc", "git-lfs"),
    ),
    Scenario(
        "million",
        Shape(1000, 1000, KIB),
        (*_FOLDER_STEPS, "edits"),
        ("lstat", "cp"),
        copies=4,
        tools=("dataver", "floor"),
        once=("dataver", "floor"),
        edits=100,
    ),
)


def scale_scenario(scenario: Scenario, scale: float) -> Scenario:
    """Return *scenario* with its number of files, or the size of its one file, times *scale*.

    A single file stays above 16 MiB, so that it is still cut into chunks.
    """
    shape = scenario.shape
    if scenario.name == "startup" or scale == 1:
        return scenario
    if not shape.folders:
        return replace(scenario, shape=replace(shape, size=max(int(shape.size * scale), 16 * MIB)))
    files = max(int(shape.files * scale), 20)
    folders = min(shape.folders, max(files // 20, 1))
    edits = min(scenario.edits, max(int(scenario.edits * scale * 10), 5)) if scenario.edits else 0
    return replace(scenario, shape=replace(shape, folders=folders, per_folder=files // folders), edits=edits)


def size_text(size: float) -> str:
    """Write a size in the largest binary unit that leaves at least one."""
    for unit, factor in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if size >= factor:
            return f"{size / factor:.4g} {unit}"
    return f"{size:.0f} B"
