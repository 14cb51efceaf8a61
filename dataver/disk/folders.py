"""What lies right in a folder that may not be there."""

from __future__ import annotations

import os

from dataver.errors import local_error


def entries_of(folder: str) -> list[os.DirEntry[str]]:
    """Return what lies in *folder*, by name; nothing where there is no such folder.  Raises: local errors."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise local_error(error, folder) from error
