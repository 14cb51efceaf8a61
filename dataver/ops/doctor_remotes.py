"""`doctor` on the remotes: are they there, ours, readable, and do they agree with what is known here.

Nothing is written, there or here: what is read is held in memory.
"""

from __future__ import annotations

from dataver.disk.disk import Clock, Disk
from dataver.erasure.records import fold
from dataver.errors import DataverError, UnsafeError
from dataver.git import GitPlace
from dataver.model.config import Config, RemoteSettings
from dataver.ops.findings import Findings
from dataver.progress import Progress
from dataver.store.remote import Remote, Surroundings
from dataver.transfer.connect import bucket_of, seen_of
from dataver.workspace import local

_SKEW_S = 300.0


def look_at_remotes(
    found: Findings, config: Config, place: GitPlace, disk: Disk, *, is_offline: bool, progress: Progress
) -> None:
    """Look at every configured remote; one that fails keeps none of the others from being looked at."""
    names = config.remote_names
    if not names:
        found.warn("remotes", "none is configured", "dataver remote add origin s3://bucket/prefix")
        return
    if config.default_remote not in names:
        found.warn("remotes", "none of them is the default one", f"dataver remote default {names[0]}")
    if is_offline:
        found.ok("remotes", f"{', '.join(names)}: not asked (--offline)")
        return
    with progress.task("asking remotes", total=len(names)) as task:
        for name in names:
            settings = config.remote(name)
            assert settings is not None
            try:
                _look_at(found, settings, config, place, disk)
            except DataverError as error:
                found.problem(f"remote {name}", error)
            task.advance()


def _look_at(found: Findings, settings: RemoteSettings, config: Config, place: GitPlace, disk: Disk) -> None:
    topic = f"remote {settings.name}"
    common = f"{place.common_dir}/dataver"
    clock = Clock()
    bucket = bucket_of(settings, top=place.top, disk=disk, clock=clock)
    remote = Remote.open(
        bucket,
        expected_id=settings.id or None,
        seen=seen_of(common, settings.id, settings.name if settings.copy else ""),
        around=Surroundings(disk, clock, None),
    )
    try:
        remote.refresh()
        lost = len(remote.lost_packs())
        pin = bytes.fromhex(config.signers_pin)
        fold(remote.records(), pin=pin)
        found.ok(topic, f"{bucket.url}: reachable, journal at entry {remote.seen.seq}")
        if not settings.id:
            found.warn(
                topic, "its id is not pinned", f"dataver remote set {settings.name} id {remote.remote_id}"
            )
        if lost:
            what = "1 pack is" if lost == 1 else f"{lost} packs are"
            found.warn(
                topic, f"{what} named in its journal and gone", f"dataver push --remote {settings.name} --all"
            )
        if remote.has_one_writer:
            found.warn(topic, "this store has no create-if-absent: one writer at a time")
        _compare_secret(found, remote, topic, common)
        newest = max((named.time_s for named in remote.roots().values()), default=0)
        if newest - clock.now_s() > _SKEW_S:
            minutes = round((newest - clock.now_s()) / 60)
            found.warn(topic, f"its newest push is {minutes} minutes ahead of this clock", "set the clock")
    finally:
        remote.close()


def _compare_secret(found: Findings, remote: Remote, topic: str, common_folder: str) -> None:
    there, here = remote.secret(), local.load_secret(common_folder)
    if there is not None and here is not None and there != here:
        raise UnsafeError(
            f"{remote.url} holds the data of another repository: its secret is not this one's",
            hint="dataver remote add NAME URL",
        )
    if there is None and here is not None:
        found.ok(topic, "holds no secret yet: the first push brings it")
