"""The verdicts of the benchmark on S3 follow from its figures, and a missing figure is no success."""

from __future__ import annotations

from benchmarks.remote import CASES
from benchmarks.remote_page import Figure
from benchmarks.remote_targets import judge

MIB = 1024 * 1024


def _figure(case: str, tool: str, step: str, **more: float) -> Figure:
    facts = {"cpu_s": 1.0, "wall_s": 1.0, "peak": 100 * MIB, "requests": 6, "moved": MIB, **more}
    return Figure(
        case, tool, step, facts["cpu_s"], facts["wall_s"], int(facts["peak"]),
        int(facts["requests"]), int(facts["moved"]),
    )  # fmt: skip


def _verdicts(*figures: Figure) -> dict[str, str]:
    return {verdict.what: verdict.text for verdict in judge(CASES, figures)}


def test_without_figures_nothing_is_met() -> None:
    assert set(_verdicts().values()) == {"not measured"}


def test_a_share_of_a_peer_is_of_the_medians() -> None:
    own = [_figure("medium", "dataver", "push", cpu_s=cpu_s) for cpu_s in (0.9, 1.0, 9.0)]
    slow, quick = _figure("medium", "dvc", "push", cpu_s=6.0), _figure("medium", "dvc", "push", cpu_s=5.0)

    assert _verdicts(*own, slow)["2,000 x 100 KiB: push, CPU"] == "met"
    assert _verdicts(*own, quick)["2,000 x 100 KiB: push, CPU"].startswith("**missed**, 1.20")


def test_the_best_bare_client_is_the_measure() -> None:
    own = _figure("one", "dataver", "push", cpu_s=2.0)
    slow, quick = _figure("one", "boto3", "push", cpu_s=2.0), _figure("one", "obstore", "push", cpu_s=1.0)

    assert _verdicts(own, slow)["one file: push, CPU"] == "met"
    assert _verdicts(own, slow, quick)["one file: push, CPU"].startswith("**missed**")


def test_requests_are_counted_against_packs() -> None:
    # 200 MB of data fill 7 packs, and trees one.
    assert (
        _verdicts(_figure("medium", "dataver", "push", requests=36))["2,000 x 100 KiB: push, requests"]
        == "met"
    )
    missed = _verdicts(_figure("medium", "dataver", "push", requests=37))
    assert missed["2,000 x 100 KiB: push, requests"].startswith("**missed**")
