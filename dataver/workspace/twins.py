"""Warn of names that are one name on a system that folds case or normal forms."""

from __future__ import annotations

from dataver.errors import Failure, show_path
from dataver.model.names import fold_twins
from dataver.workspace.workspace import Look

_MOST = 20


def twin_warnings(look: Look) -> list[Failure]:
    """Return a warning for each pair of new names in one folder that some systems take for one."""
    snapshot = look.snapshot
    warnings: list[Failure] = []
    if snapshot is None or snapshot.is_single:
        return warnings
    for path in snapshot.fresh:
        folder = snapshot.folders[path]
        names = [*folder.names, *snapshot.subfolders.get(path, ())]
        folder.forget_names()
        # Most folders are plain: two quick looks spare them the slow one.
        if len({n.lower() for n in names}) == len(names) and all(map(bytes.isascii, names)):
            continue
        prefix = look.path + b"/" + path + b"/" if path else look.path + b"/"
        for one, other in fold_twins(names):
            message = f"{show_path(prefix + one)} and {show_path(other)} are one name on some systems"
            warnings.append(Failure(prefix + one, "fold-twins", message, "", 0))
    return warnings[:_MOST]
