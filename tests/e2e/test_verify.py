"""`dataver verify` as a person runs it, and two of DVC's defects that it would have shown."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.cli import environment
from tests.e2e.project import Project, blob, picture, publish


def _packs(store: Path) -> list[Path]:
    return sorted(path for path in (store / "packs").rglob("*") if path.is_file())


def _harm(path: Path, content: bytes) -> None:
    """Change the last byte of *content* in the file *path*."""
    path.chmod(0o644)
    data = path.read_bytes()
    assert content in data
    path.write_bytes(data.replace(content, content[:-1] + bytes((content[-1] ^ 1,))))


@pytest.fixture(scope="module")
def kept_template(project_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the project that `kept` copies."""
    top = tmp_path_factory.mktemp("kept")
    project = _copied(project_template, top)
    project.write({f"data/{number}.bin": blob(number, 70_000) for number in range(20)})
    project.record("data", tag="v1")
    publish(project)
    return top


@pytest.fixture
def kept(kept_template: Path, tmp_path: Path) -> Project:
    """Give a project with a folder of 20 files, committed as v1 and pushed."""
    return _copied(kept_template, tmp_path)


def _copied(template: Path, folder: Path) -> Project:
    shutil.copytree(template, folder, symlinks=True, dirs_exist_ok=True)
    return Project(folder / "churn", environment(folder / "home"))


def test_sound_data_is_one_line_a_place_and_exit_0(kept: Project) -> None:
    result = kept.run("verify", "--cache", "--remote")

    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        "Verified the cache",
        "Verified remote origin",
    ]
    assert result.stderr == ""


def test_a_corrupt_cache_file_is_named_quarantined_and_repaired(kept: Project) -> None:
    _harm(kept.loose("data/7.bin"), blob(7, 70_000))
    (kept.root / "data/7.bin").unlink()

    found = kept.run("verify", expect=3)
    kept.run("verify", "--repair")

    assert "data/7.bin" in found.stderr
    assert "v1" in found.stderr
    assert "moved to quarantine" in found.stderr
    assert found.hint == "dataver verify --repair"
    kept.run("verify")
    kept.run("checkout", "--force")
    assert (kept.root / "data/7.bin").read_bytes() == blob(7, 70_000)


def test_the_hint_of_damage_on_a_remote_repairs_it(kept: Project) -> None:
    pack = next(p for p in _packs(kept.store) if blob(7, 70_000) in p.read_bytes())
    _harm(pack, blob(7, 70_000))

    found = kept.run("verify", "--remote", expect=3)
    kept.run(*found.hint.split()[1:])

    kept.run("verify", "--remote")
    other = kept.clone("other")
    other.run("pull")
    assert picture(other.root / "data") == picture(kept.root / "data")


def test_json_lists_all_damage(kept: Project) -> None:
    _harm(kept.loose("data/7.bin"), blob(7, 70_000))

    result = kept.run("--json", "verify", "--sample", "100%", expect=3)

    (damage,) = result.data["damaged"]
    assert (damage["path"], damage["state"], damage["copy"]) == ("data/7.bin", "corrupt", "workspace")
    assert (damage["quarantined"], damage["repaired"]) == (True, False)
    assert result.failed == {"data/7.bin": "corrupt-object"}
    assert result.data["places"][0]["share"] == 100


def test_a_path_after_a_bare_remote_is_a_path(kept: Project) -> None:
    result = kept.run("--json", "verify", "--remote", "data/7.bin")

    assert [place["name"] for place in result.data["places"]] == ["origin"]


def test_a_sample_says_which_share_was_read(kept: Project) -> None:
    result = kept.run("verify", "--sample", "10%")

    assert "chosen at random" in result.stdout


def test_a_share_that_is_none_is_a_usage_error(kept: Project) -> None:
    assert kept.run("verify", "--sample", "some", expect=2).code == "usage"


# -- DVC's defects 3 and 4 ----------------------------------------------------------------------------


def test_a_corrupt_object_is_found_and_never_delivered(kept: Project) -> None:
    _harm(kept.loose("data/7.bin"), blob(7, 70_000))
    (kept.root / "data/7.bin").unlink()

    assert set(kept.run("--json", "verify", expect=3).failed) == {"data/7.bin"}
    kept.run("checkout", expect=3)

    assert not (kept.root / "data/7.bin").exists()


def test_objects_deleted_from_the_remote_are_named_and_a_repair_serves_a_fresh_clone(kept: Project) -> None:
    for pack in _packs(kept.store):
        pack.chmod(0o644)
        pack.unlink()

    lost = kept.run("--json", "verify", "--remote", expect=3)
    kept.run("verify", "--remote", "--repair")

    assert {f"data/{number}.bin" for number in range(20)} <= set(lost.failed)
    other = kept.clone("other")
    other.run("pull")
    assert picture(other.root / "data") == picture(kept.root / "data")
