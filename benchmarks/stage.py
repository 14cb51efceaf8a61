"""Where one unit plays: its folders, its environment and its deadline."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.measure import Cost, TimeIsUpError, measure
from benchmarks.peers import Argv, Found

Place = Literal["root", "work", "clone"]

_GIT_CONFIG = """[user]
\tname = Bench
\temail = bench@example.org
[init]
\tdefaultBranch = main
[gc]
\tauto = 0
[maintenance]
\tauto = false
[protocol "file"]
\tallow = always
[safe]
\tdirectory = *
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A fresh file system set out for one tool; every path that the tool may use lies on it."""

    root: Path
    work: Path
    clone: Path
    remote: Path
    target: Path
    """The data in the workspace."""
    environment: Mapping[str, str]
    words: Mapping[str, str]
    deadline: float
    """On the monotonic clock, in seconds."""

    def fill(self, template: str, **more: str) -> str:
        """Put this stage's folders and names into a command's word."""
        return template.format_map({**self.words, **more})

    def run(self, argv: Argv, place: Place, **more: str) -> Cost:
        """Run a command of a tool's table in *place*.

        Raises: CommandFailedError, TimeIsUpError.
        """
        filled = [self.fill(word, **more) for word in argv]
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeIsUpError(filled)
        folder = {"root": self.root, "work": self.work, "clone": self.clone}[place]
        return measure(filled, folder, self.environment, left_s)


def set_stage(root: Path, found: Found, target_name: str, deadline: float) -> Stage:
    """Lay out *root* for *found*: a home with a plain Git configuration, an empty workspace, no remote.

    Git's background maintenance is off for every tool: it would run at a time of its own choosing.
    """
    work, home = root / "work", root / "home"
    for folder in (work, home, root / "tmp"):
        folder.mkdir()
    (home / ".gitconfig").write_text(_GIT_CONFIG)
    words = {
        "exe": found.exe,
        "work": str(work),
        "clone": str(root / "clone"),
        "remote": str(root / "remote"),
        "home": str(home),
        "target": target_name,
        "pointer": f"{target_name}.dv",
    }
    environment = {
        "PATH": f"{Path(found.exe).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(home),
        "TMPDIR": str(root / "tmp"),
        "LC_ALL": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
    }
    environment |= {name: value.format_map(words) for name, value in found.tool.environment.items()}
    return Stage(
        root, work, root / "clone", root / "remote", work / target_name, environment, words, deadline
    )
