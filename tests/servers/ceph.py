"""S3 as Ceph's RADOS gateway speaks it: one monitor, one object store in memory, one gateway.

Needs Debian's ceph-mon, ceph-osd, radosgw and ceph-common (`make test-s3` installs them); runs as
whoever starts it, in one folder, and checks signatures as the clouds do.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.servers.daemon import daemon, free_port
from tests.servers.server import Server, s3_server

PROGRAMS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
KEY, SECRET = "testkey", "testsecret"

_TIMEOUT_S = 60.0
_MEMORY = 4 << 30
_CONFIG = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{monitor_port}/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth allow insecure global id reclaim = true
ms bind msgr1 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 2000
osd crush chooseleaf type = 0
run dir = {folder}
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
log file = {folder}/$name.log
crash dir = {folder}
mon data = {folder}/mon
osd data = {folder}/osd
mgr data = {folder}/mgr
rgw data = {folder}/rgw
keyring = {folder}/keyring
[osd]
keyring = {folder}/osd.keyring
osd objectstore = memstore
memstore device bytes = {memory}
osd max object name len = 460
[client.rgw]
# Without the option each small request waits 5 ms for the other side's acknowledgement.
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw enable usage log = false
"""


def missing_programs() -> list[str]:
    """Return which of Ceph's programs are not on the path."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@contextlib.contextmanager
def ceph() -> Iterator[Server]:
    """Yield a running gateway; it takes about ten seconds."""
    # Not pytest's folder: the path of a socket has room for a hundred bytes.
    with tempfile.TemporaryDirectory(prefix="ceph-") as name, contextlib.ExitStack() as running:
        folder = Path(name)
        port = _start(folder, running)
        yield s3_server("ceph", f"http://127.0.0.1:{port}", KEY, SECRET)


def _start(folder: Path, running: contextlib.ExitStack) -> int:
    config, fsid = folder / "ceph.conf", str(uuid.uuid4())
    monitor_port, port = free_port(), free_port()
    config.write_text(
        _CONFIG.format(fsid=fsid, folder=folder, monitor_port=monitor_port, port=port, memory=_MEMORY)
    )
    for part in ("mon", "osd", "mgr", "rgw"):
        (folder / part).mkdir()
    _start_monitor(folder, running, fsid, monitor_port)
    _start_store(folder, running)
    keyring = folder / "keyring"
    rights = ("mon", "allow rw", "osd", "allow rwx")
    keyring.write_text(
        keyring.read_text() + _run(config, "ceph", "auth", "get-or-create", "client.rgw", *rights)
    )
    command = ["radosgw", "-f", "-c", str(config), "-n", "client.rgw"]
    running.enter_context(daemon(command, folder / "gateway.out", is_ready=lambda: _answers(port)))
    user = ("--uid=test", "--display-name=test", f"--access-key={KEY}", f"--secret-key={SECRET}")
    _run(config, "radosgw-admin", "-n", "client.rgw", "user", "create", *user)
    return port


def _start_monitor(folder: Path, running: contextlib.ExitStack, fsid: str, port: int) -> None:
    config, keyring, map_file = folder / "ceph.conf", str(folder / "keyring"), str(folder / "monmap")
    all_rights = [word for part in ("mon", "osd", "mgr", "mds") for word in ("--cap", part, "allow *")]
    _run(config, "ceph-authtool", "-C", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    _run(config, "ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *all_rights)
    address = f"[v2:127.0.0.1:{port}/0]"
    _run(config, "monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, map_file)
    _run(config, "ceph-mon", "-i", "a", "--mkfs", "--monmap", map_file, "--keyring", keyring)
    command = ["ceph-mon", "-f", "-c", str(config), "-i", "a"]
    running.enter_context(daemon(command, folder / "monitor.out", port=port))


def _start_store(folder: Path, running: contextlib.ExitStack) -> None:
    config, keyring, store_id = folder / "ceph.conf", str(folder / "osd.keyring"), str(uuid.uuid4())
    secret = _run(config, "ceph-authtool", "--gen-print-key").strip()
    wanted = json.dumps({"cephx_secret": secret})
    _run(config, "ceph", "osd", "new", store_id, "-i", "-", given=wanted)
    _run(config, "ceph-authtool", "-C", keyring, "-n", "osd.0", "--add-key", secret)
    shutil.copy(keyring, folder / "osd" / "keyring")
    _run(config, "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", store_id)

    def is_up() -> bool:
        return bool(json.loads(_run(config, "ceph", "osd", "stat", "--format=json"))["num_up_osds"])

    command = ["ceph-osd", "-f", "-c", str(config), "-i", "0"]
    running.enter_context(daemon(command, folder / "store.out", is_ready=is_up))


def _run(config: Path, *command: str, given: str = "") -> str:
    """Return what one of Ceph's tools printed."""
    program, *arguments = command
    done = subprocess.run(
        [program, "-c", str(config), *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1.0).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
