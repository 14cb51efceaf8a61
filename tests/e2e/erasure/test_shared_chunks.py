"""Large files are cut into chunks: what an erased one shares with another belongs to the other."""

from __future__ import annotations

from tests.e2e.erasure.bench import FOLDER, LARGE, MARKER, Case
from tests.e2e.project import blob

OTHER = "data/users/u2/film.bin"


def test_a_file_that_shares_chunks_with_an_erased_one_stays(folder_case: Case) -> None:
    """The person's film of version 2 has a beginning of its own; the rest is somebody else's too."""
    shared = blob(200, LARGE)
    folder_case.project.write({OTHER: shared})
    folder_case.project.record("data", tag="v4", message="The same film without the person")
    folder_case.project.run("push", "--all")

    folder_case.erase()

    assert folder_case.found() == []
    clone = folder_case.mate("fresh")
    assert (clone.root / OTHER).read_bytes() == shared
    assert not (clone.root / FOLDER / "film.bin").exists()
    assert MARKER not in (clone.root / OTHER).read_bytes()
