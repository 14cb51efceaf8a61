"""`init`: make a Git work tree a dataver repository."""

from __future__ import annotations

import os

from dataver.disk.atomic import make_folders, write_new
from dataver.disk.disk import Disk
from dataver.git import Git, find_place
from dataver.model.results import InitResult
from dataver.repo import CONFIG_FILE, CONFIG_FOLDER
from dataver.workspace import gitfiles, local

_CONFIG = b"""# dataver: settings that all clones share; see `dataver config list`
[core]
version = 1
hash = "blake3"
"""


def init(start: str = ".") -> InitResult:
    """Make the work tree that *start* lies in a dataver repository; harmless where it is one.

    Writes `.dataver/config.toml` and the line for pointers in `.gitattributes`, stages both, sets
    up Git's diff and merge drivers in this clone, and draws the repository secret.

    Raises: NoGitError, local errors.
    """
    place = find_place(start)
    git = Git(place.top, place)
    disk = Disk()
    config = f"{place.top}/{CONFIG_FILE}"
    is_new = not os.path.lexists(config)
    if is_new:
        make_folders(disk, f"{place.top}/{CONFIG_FOLDER}")
        write_new(disk, config, _CONFIG)
    common_folder = f"{place.common_dir}/dataver"
    make_folders(disk, common_folder)
    # A clone of a repository that exists gets the secret from its remote: another one would give
    # the same folder another id.
    if is_new and local.load_secret(common_folder) is None:
        local.save_secret(common_folder, local.new_secret(), disk)
    local.clone_id(common_folder, disk)
    gitfiles.add_line(place.top, b".gitattributes", gitfiles.ATTRIBUTES_LINE, disk)
    gitfiles.ensure_drivers(git)
    git.stage([os.fsencode(CONFIG_FILE), b".gitattributes"], force=True)
    return InitResult(place.top, git.branch() or "", is_new)
