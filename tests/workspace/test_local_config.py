"""What was parsed of the configuration is kept, and never taken for that of another place."""

from __future__ import annotations

import shutil
from pathlib import Path

from dataver.index.state import State
from dataver.workspace.local import load_config


def _url_in(top: Path) -> str:
    state = State(str(top / "state.sqlite"))
    remote = load_config(str(top), str(top / "common"), {}, state).remote("origin")
    assert remote is not None
    return remote.url


def test_a_copied_repository_reads_its_own_configuration(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    (first / ".dataver").mkdir(parents=True)
    (first / ".dataver" / "config.toml").write_text('[remote.origin]\nurl = "s3://old"\n')
    assert _url_in(first) == "s3://old"
    shutil.copytree(first, second)
    (second / ".dataver" / "config.toml").write_text('[remote.origin]\nurl = "s3://new"\n')

    found = _url_in(second)

    assert found == "s3://new"
