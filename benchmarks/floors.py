"""The plain tools beside which the others are seen: `cp -r`, `git status`, bare lstat, `python -c pass`."""

import json
from collections.abc import Callable
from dataclasses import replace

from benchmarks.bench import sample_of
from benchmarks.data import Flavour, write_data
from benchmarks.measure import sync_folder
from benchmarks.peers import Argv
from benchmarks.results import Sample
from benchmarks.scenarios import Scenario
from benchmarks.stage import Stage

# Walks once to know the list, then times the loop alone, folder by folder with chdir: short names win.
_LSTAT = """
import json, os, resource, sys, time
known = [(folder, names) for folder, _, names in os.walk(os.path.abspath(sys.argv[1]))]
lstat, start, wall = os.lstat, resource.getrusage(0), time.perf_counter()
for folder, names in known:
    os.chdir(folder)
    for name in names:
        lstat(name)
end = resource.getrusage(0)
print(json.dumps([end.ru_utime - start.ru_utime, end.ru_stime - start.ru_stime, time.perf_counter() - wall]))
"""

_COMMANDS: dict[str, Argv] = {
    "cp": ("cp", "-r", "{target}", "{target}.copy"),
    "git-status": ("git", "status"),
    "lstat": ("{exe}", "-c", "{script}", "{target}"),
    "python": ("{exe}", "-c", "pass"),
}


def play_floors(
    scenario: Scenario, stage: Stage, flavour: Flavour, seed: int, keep: Callable[[Sample], None]
) -> None:
    """Play the plain tools of *scenario*, without those that git needs to have read all data for.

    Raises: CommandFailedError, TimeIsUpError.
    """
    write_data(stage.target, scenario.shape, flavour, seed)
    for step in scenario.floors:
        if step == "git-status":
            for argv in (("git", "init", "-q", "."), ("git", "add", "{target}")):
                stage.run(argv, "work")
        for run in range(scenario.runs + (scenario.runs > 1)):
            sync_folder(stage.root)
            cost = stage.run(_COMMANDS[step], "work", script=_LSTAT)
            sample = sample_of(step, cost, sync_folder(stage.root), None)
            if step == "lstat":
                user_s, system_s, wall_s = json.loads(cost.output)
                sample = replace(sample, user_s=user_s, system_s=system_s, wall_s=wall_s)
            if run > 0 or scenario.runs == 1:  # the first of several warms up
                keep(sample)
