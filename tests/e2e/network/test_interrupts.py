"""Ctrl-C while nothing comes over the network: an end in two seconds, and nothing in the way afterwards."""

from __future__ import annotations

import signal
import time

import pytest

from tests.e2e.cli import finish, start
from tests.e2e.network.matrix import COMMANDS, ENTRY, LEASE, PACK
from tests.e2e.network.team import Team, inside
from tests.servers.chaos import Chaos
from tests.servers.daemon import wait_until
from tests.servers.faults import Rule, Stall, StallAnswer

_PROMISED_S = 2.0
_MARGIN_S = 3.0
"""For a machine that is busy with other tests."""


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        ("push", Rule(Stall(), "PUT", PACK, times=None)),
        ("push", Rule(Stall(), "PUT", ENTRY, times=None)),
        ("push", Rule(Stall(), "PUT", LEASE, times=None)),
        ("fetch", Rule(StallAnswer(1000), "GET", PACK, times=None)),
        ("verify", Rule(StallAnswer(20), "GET", PACK, times=None)),
    ],
    ids=["push of a pack", "push of an entry", "push of a lease", "fetch", "verify"],
)
def test_ctrl_c_ends_a_stalled_command_at_once_and_the_next_one_succeeds(
    team: Team, proxy: Chaos, command: str, rule: Rule
) -> None:
    played = COMMANDS[command]
    clone = team.clone(played.clone)
    proxy.fail(rule)
    # Nothing but the interrupt ends it: no deadline of a request comes first.
    running = start(*played.args, cwd=clone.root, env={**clone.env, "DATAVER_TRANSFER__TIMEOUT": "60"})
    wait_until(lambda: bool(proxy.failed) or running.poll() is not None, "the command met the fault")
    time.sleep(0.2)
    began = time.monotonic()
    running.send_signal(signal.SIGINT)

    result = finish(running, 30)

    took_s = time.monotonic() - began
    assert (result.exit, "Traceback" in result.stderr) == (130, False), result.stderr
    assert took_s < _PROMISED_S + _MARGIN_S
    proxy.heal()
    again = inside(clone.root, played.call)
    assert again.exit == 0, again
    assert again.took_s < 30, again
    assert team.is_restored(played.restores)
