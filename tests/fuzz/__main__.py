"""`python -m tests.fuzz [NAME...]`: every parser against a fuzzer that watches which lines run.

Without a name all targets run, as many at a time as there are cores, each for `FUZZ_SECONDS` (30),
in a process of its own with bounded memory and a deadline for each input; the first failure's
input is printed as base64.  What one finds becomes an example in `tests/fuzz/test_targets.py`.
Before them run the shams, which have to fail: a fuzzer that notices nothing would prove nothing.
"""

from __future__ import annotations

import base64
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

SECONDS = int(os.environ.get("FUZZ_SECONDS", "30"))
MEMORY_MB = 768
"""What a process may have in memory; looked at once a second."""
ADDRESSES_MB = 4096
"""What it may ask for at all: one allocation beyond that fails at once."""
INPUT_S = 10
SHAM_S = 1
MAX_INPUT = 1 << 16
_MOST_S = 60


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one target."""

    status: int
    log: str
    found: Sequence[tuple[str, bytes]]
    """Kind (`crash`, `oom`, `timeout`) and bytes of each input that failed."""

    def fact(self, name: str) -> str:
        """Return one of the fuzzer's closing figures."""
        facts = (line[6:].split(": ", 1) for line in self.log.splitlines() if line.startswith("stat::"))
        return dict(fact for fact in facts if len(fact) == 2).get(name, "0").strip()


def fuzz_one(name: str, folder: str) -> None:
    """Fuzz the target or sham *name* from the corpus in *folder*; never returns."""
    import atheris  # only `make fuzz` installs it

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES_MB << 20, ADDRESSES_MB << 20))
    with atheris.instrument_imports(include=["dataver"]):
        from tests.fuzz.shams import SHAMS
        from tests.fuzz.targets import TARGETS

    run = TARGETS[name].run if name in TARGETS else SHAMS[name].target.run

    def take(data: bytes) -> None:
        run(data)

    # A sham ends by failing: how long that takes depends on how busy the machine is.
    seconds, input_s = (SECONDS, INPUT_S) if name in TARGETS else (_MOST_S, SHAM_S)
    options = [
        *(f"-max_total_time={seconds}", f"-rss_limit_mb={MEMORY_MB}", f"-timeout={input_s}"),
        *(f"-max_len={MAX_INPUT}", "-print_final_stats=1", f"-artifact_prefix={folder}/found-"),
    ]
    atheris.Setup([name, *options, f"{folder}/corpus"], take)
    atheris.Fuzz()


def _run(name: str, seeds: Sequence[bytes]) -> Ran:
    """Fuzz one target in a process of its own."""
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-") as folder:
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for number, seed in enumerate(seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
        command = [sys.executable, "-m", "tests.fuzz", f"--one={name}", folder]
        with open(f"{folder}/log", "wb") as log:
            try:
                status = subprocess.run(
                    command, stdout=log, stderr=log, timeout=SECONDS * 3 + _MOST_S, check=False
                ).returncode
            except subprocess.TimeoutExpired:
                status = -9
        found = [(p.name.split("-")[1], p.read_bytes()) for p in sorted(Path(folder).glob("found-*"))]
        return Ran(status, Path(folder, "log").read_text("utf-8", "replace"), found)


def _is_noticed(name: str, ran: Ran, kind: str) -> bool:
    """Tell whether a sham failed in its own way, and print it where it did not."""
    kinds = {each for each, _ in ran.found}
    if ran.status and kinds == {kind}:
        return True
    print(f"FAILED  the sham {name} is no {kind} (exit {ran.status}, {sorted(kinds)})\n{ran.log[-4000:]}")
    return False


def _is_clean(name: str, ran: Ran) -> bool:
    """Print how a target's run went; tell whether it was clean."""
    runs = int(ran.fact("number_of_executed_units"))
    if ran.status == 0 and not ran.found and runs:
        print(f"ok      {name:<14} {runs:>9,} inputs, {ran.fact('peak_rss_mb')} MB", flush=True)
        return True
    print(f"FAILED  {name} (exit {ran.status}, {runs:,} inputs)\n{ran.log[-4000:]}", flush=True)
    for kind, data in ran.found:
        print(f"input ({kind}): {base64.b64encode(data).decode()}", flush=True)
    return False


def main(words: list[str]) -> int:
    """Run the targets named by *words*, or all; return 1 where one failed."""
    if words and words[0].startswith("--one="):
        fuzz_one(words[0].removeprefix("--one="), words[1])
        return 0
    if find_spec("atheris") is None:
        print("the fuzzer is not installed in this environment: run it by `make fuzz`", file=sys.stderr)
        return 2
    # Where one target runs, the fuzzer has to see this import.
    from tests.fuzz.shams import SHAMS
    from tests.fuzz.targets import TARGETS

    unknown = sorted(set(words) - TARGETS.keys())
    if unknown:
        print(f"no target {', '.join(unknown)}; there are: {', '.join(TARGETS)}")
        return 2
    started = time.monotonic()
    chosen = {name: TARGETS[name] for name in words or TARGETS}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        shams = {name: pool.submit(_run, name, sham.target.seeds) for name, sham in SHAMS.items()}
        if not all(_is_noticed(name, shams[name].result(), sham.kind) for name, sham in SHAMS.items()):
            return 1
        print(f"noticed {', '.join(SHAMS)}: what has to fail fails", flush=True)
        running = {name: pool.submit(_run, name, target.seeds) for name, target in chosen.items()}
        failures = [name for name, future in running.items() if not _is_clean(name, future.result())]
    clean = len(chosen) - len(failures)
    print(f"{clean} of {len(chosen)} targets clean in {time.monotonic() - started:.0f} s", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
