"""An erasure on Google Cloud Storage, as the emulator plays it: with one version of each object."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.e2e.erasure.bench import SELECTED, other_files, person_files, survivors
from tests.e2e.project import new_project
from tests.erasure.google_dump import dumped
from tests.erasure.nowhere import nowhere
from tests.servers.server import Server


def test_a_person_leaves_a_bucket_of_google(gcs_server: Server, tmp_path: Path) -> None:
    url: str = gcs_server.fresh_bucket()
    made = new_project(tmp_path / "churn", tmp_path / "home")
    project = replace(made, env={**made.env, **gcs_server.environment})
    endpoint: Any = gcs_server.options["endpoint_url"]
    project.run("remote", "add", "origin", f"{url}/store", "--endpoint-url", endpoint, "--anon")
    for version in (1, 2):
        project.write({**person_files(version), **other_files(version)})
        project.record("data", tag=f"v{version}")
    project.run("push", "--all")

    plan = project.ask("purge", "plan", "--path", SELECTED)["plan"]
    ran = project.ask("purge", "run", plan)

    places = [dumped(endpoint, url.removeprefix("gs://"), tmp_path / "dump"), project.root]
    assert nowhere(places, contents=[b"secret-of-the-person-"], names=[b"u1041"]) == []
    assert survivors(project, "v1") == other_files(1)
    (remote,) = ran["remotes"]
    assert remote["state"] == "ABSENT"
    assert any("unfinished uploads" in note for note in remote["notes"])
