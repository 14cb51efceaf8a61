"""The chaos matrix: each command meets each fault, ends as promised and in time, and nothing is lost by it.

Most cells run inside the test's process, where pauses are over at once and count all the same; for each
command some run the program itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.network.matrix import COMMANDS, FAULTS, PLAYED, PROCESSES, Command, end_of
from tests.e2e.network.team import Ended, Team, Template, inside
from tests.servers.chaos import Chaos

Run = Callable[[Team, Command], Ended]


def _inside(team: Team, command: Command) -> Ended:
    return inside(team.clone(command.clone).root, command.call)


def _program(team: Team, command: Command) -> Ended:
    """Run the program in a process of its own, where pauses last."""
    url = f"s3://{team.template.bucket}/{team.prefix}-second"
    args = [url if word == "URL" else word for word in command.args]
    began = time.monotonic()
    result = team.clone(command.clone).run("--json", *args, expect=None, timeout_s=60)
    return Ended(result.exit, result.code if result.exit else "", time.monotonic() - began, result.stdout)


def _play(
    template: Template, top: Path, proxy: Chaos, command_name: str, fault_name: str, run: Run = _inside
) -> bool:
    """Play one cell; return whether the command met the fault at all."""
    command, fault = COMMANDS[command_name], FAULTS[fault_name]
    # Who only reads may share a remote: that it stays as it was is part of what is shown.
    team = template.copied(top, "" if command.writes else "template")
    team.clone(command.clone)
    before = team.stored()
    proxy.forget()
    proxy.fail(*fault.rules)

    ended = run(team, command)

    is_met = bool(proxy.failed)
    proxy.heal()
    assert (ended.exit, ended.code) == end_of(command_name, fault_name, is_met=is_met), ended
    assert ended.took_s <= fault.within_s, ended
    if ended.exit:
        again = _inside(team, command)
        assert again.exit == 0, again
    if command.writes:
        assert team.is_restored(command.restores)
    else:
        assert team.stored() == before
    return is_met


@pytest.mark.parametrize(("command", "fault"), PLAYED)
def test_a_command_that_meets_a_fault_ends_as_promised_and_nothing_is_lost(
    network_template: Template, reaching: None, proxy: Chaos, tmp_path: Path, command: str, fault: str
) -> None:
    assert _play(network_template, tmp_path, proxy, command, fault)


@pytest.mark.parametrize(("command", "fault"), PROCESSES)
def test_the_program_that_meets_a_fault_exits_as_promised_and_in_time(
    network_template: Template, reaching: None, proxy: Chaos, tmp_path: Path, command: str, fault: str
) -> None:
    assert _play(network_template, tmp_path, proxy, command, fault, _program)


@pytest.mark.scale
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_survives_every_fault(
    network_template: Template, reaching: None, proxy: Chaos, tmp_path: Path, command: str, fault: str
) -> None:
    _play(network_template, tmp_path, proxy, command, fault)


def test_gc_takes_the_litter_away_when_nothing_goes_wrong(team: Team, proxy: Chaos) -> None:
    # Stores date to the second, and gc takes nothing that is as young as its own lease.
    time.sleep(3)
    packs = sum("/packs/" in key for key in team.stored())

    ended = _inside(team, COMMANDS["gc"])

    assert ended.exit == 0, ended
    assert sum("/packs/" in key for key in team.stored()) < packs
