"""`impact`: which other tracked paths, such as models, changed in commits that held what was erased."""

from __future__ import annotations

from dataver.errors import DataverError
from dataver.model.purging import ImpactedPath, ImpactResult
from dataver.ops.purge_naming import uid_of
from dataver.ops.purge_residue import find_held
from dataver.ops.purge_versions import Reader, find_datasets
from dataver.progress import SILENT, Progress
from dataver.repo import Repo


def impact(repo: Repo, erasure: str, *, progress: Progress = SILENT) -> ImpactResult:
    """Return the commits and tags that held what *erasure* took, and what else changed in them.

    A hint for people: nothing tells what a model was really made from.  The records name leaves, so no
    name is needed.  Raises: UnknownErasureError.
    """
    uid = uid_of(repo, erasure)
    wanted = {
        leaf
        for record in repo.erasures.records.values()
        if uid in (record.uid, record.of)
        for leaf in record.redact
    }
    versions = find_datasets(repo)
    reader = Reader(repo, ())
    numbers: list[int] = []
    with progress.task("Opening versions", total=len(versions.datasets)) as task:
        for number, dataset in enumerate(versions.datasets):
            root = reader.root(dataset.root_id)
            if not isinstance(root, DataverError) and any(ref.leaf_id in wanted for ref in root.leaves):
                numbers.append(number)
            task.advance()
    held = find_held(repo, versions, numbers)
    return ImpactResult(
        erasure=repo.erasures.erasures[uid].name,
        commits=len(held.commits),
        tags=held.tags,
        paths=tuple(
            ImpactedPath(path, tuple(sha[:12] for sha in shas)) for path, shas in sorted(held.beside.items())
        ),
    )
