"""`python -m tests.fuzz [NAME...]`: every parser against a fuzzer that watches which lines run.

Without a name all targets run, as many at a time as there are cores, each for `FUZZ_SECONDS` (30),
in a process of its own with bounded memory and a deadline for each input; the first failure's
input is printed as base64.  What one finds becomes an example in `tests/fuzz/test_targets.py`.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

SECONDS = int(os.environ.get("FUZZ_SECONDS", "30"))
MEMORY_MB = 768
INPUT_S = 10
MAX_INPUT = 1 << 16


def fuzz_one(name: str, folder: str) -> None:
    """Fuzz the target *name* from the corpus in *folder*; never returns."""
    import atheris  # only `make fuzz` installs it

    with atheris.instrument_imports(include=["dataver"]):
        from tests.fuzz.targets import TARGETS

    run = TARGETS[name].run
    options = [
        *(f"-max_total_time={SECONDS}", f"-rss_limit_mb={MEMORY_MB}", f"-timeout={INPUT_S}"),
        *(f"-max_len={MAX_INPUT}", "-print_final_stats=1", f"-artifact_prefix={folder}/found-"),
    ]
    atheris.Setup([name, *options, f"{folder}/corpus"], run)
    atheris.Fuzz()


def _start(name: str, seeds: Sequence[bytes], folder: str) -> subprocess.Popen[bytes]:
    corpus = Path(folder, "corpus")
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    with open(f"{folder}/log", "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz", f"--one={name}", folder], stdout=log, stderr=log
        )


def _report(name: str, folder: str, status: int) -> bool:
    """Print how a target's run went; tell whether it was clean."""
    log = Path(folder, "log").read_text("utf-8", "replace")
    facts = dict(line[6:].split(": ", 1) for line in log.splitlines() if line.startswith("stat::"))
    runs = int(facts.get("number_of_executed_units", "0").strip())
    found = sorted(Path(folder).glob("found-*"))
    if status == 0 and not found and runs:
        print(f"ok      {name:<14} {runs:>9,} inputs, {facts.get('peak_rss_mb', '?').strip()} MB", flush=True)
        return True
    print(f"FAILED  {name} (exit {status}, {runs:,} inputs)\n{log[-4000:]}", flush=True)
    for artifact in found:
        kind = artifact.name.split("-")[1]
        print(f"input ({kind}): {base64.b64encode(artifact.read_bytes()).decode()}", flush=True)
    return False


def main(words: list[str]) -> int:
    """Run the targets named by *words*, or all; return 1 where one failed."""
    if words and words[0].startswith("--one="):
        fuzz_one(words[0].removeprefix("--one="), words[1])
        return 0
    from tests.fuzz.targets import TARGETS  # where one target runs, the fuzzer has to see this import

    unknown = sorted(set(words) - TARGETS.keys())
    if unknown:
        print(f"no target {', '.join(unknown)}; there are: {', '.join(TARGETS)}")
        return 2
    waiting = list(words or TARGETS)
    running: list[tuple[str, tempfile.TemporaryDirectory[str], subprocess.Popen[bytes], float]] = []
    failures = 0
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            name = waiting.pop(0)
            folder = tempfile.TemporaryDirectory(prefix=f"fuzz-{name.replace(' ', '-')}-")
            running.append(
                (
                    name,
                    folder,
                    _start(name, TARGETS[name].seeds, folder.name),
                    time.monotonic() + SECONDS * 3 + 60,
                )
            )
        time.sleep(0.2)
        for row in list(running):
            name, folder, process, deadline = row
            if process.poll() is None and time.monotonic() < deadline:
                continue
            if process.poll() is None:
                process.kill()
            failures += not _report(name, folder.name, process.wait())
            folder.cleanup()
            running.remove(row)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
