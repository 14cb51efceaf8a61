"""What stands in the way of erasing on S3, found out before anything is changed.

What can be asked is asked; what cannot, such as the right to delete a version, is tried with a key
that belongs to nobody.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from dataver.erasure.eraser import UNVERIFIABLE_HINT, Facts, Obstacle
from dataver.erasure.s3_client import NotOfferedError, S3Client, right_for
from dataver.errors import AccessDeniedError

_NO_LOCK = frozenset(("ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"))
_NO_REPLICATION = frozenset(("ReplicationConfigurationNotFoundError", "NoSuchReplicationConfiguration"))
_NOTHING_THERE = frozenset(("NoSuchKey", "NoSuchVersion", "NoSuchUpload", "404", "InvalidArgument"))
_GOOGLE = "storage.googleapis.com"

Versioning = Literal["off", "on", "suspended", "unknown"]


class _Found(NamedTuple):
    """What one question brought."""

    obstacles: tuple[Obstacle, ...] = ()
    notes: tuple[str, ...] = ()


def examine(client: S3Client) -> Facts:
    """Return what was found out about the bucket; of the key that is tried nothing stays.

    Raises: OfflineError, BucketNotFoundError, NoCredentialsError.
    """
    versioning, *found = _versioning(client)
    found += [_lock(client), _listings(client), _replication(client), _elsewhere(client)]
    obstacles = [obstacle for one in found for obstacle in one.obstacles]
    # Under a lock the key that is tried would stay; and where something is refused nothing need be tried.
    if not obstacles:
        obstacles += _tried(client)
    notes = tuple(note for one in found for note in one.notes)
    return Facts("s3", versioning, tuple(dict.fromkeys(obstacles)), notes=notes)


def has_locks(client: S3Client) -> bool:
    """Tell whether keys may be under a retention or a legal hold.  Raises: RemoteError."""
    try:
        answer = client.ask("get_object_lock_configuration", {}, none_for=_NO_LOCK) or {}
    except NotOfferedError:
        return False
    except AccessDeniedError:
        return True
    return bool(answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled")


def denied(error: AccessDeniedError, method: str) -> Obstacle:
    """Return the obstacle that a refused request is."""
    return Obstacle(
        "access-denied",
        error.message,
        f"give these credentials {right_for(method)}, then run the command again",
    )


def _versioning(client: S3Client) -> tuple[Versioning, _Found]:
    try:
        answer = client.ask("get_bucket_versioning", {}) or {}
    except NotOfferedError:
        # The listing of versions tells then whether there can be any.
        return "unknown", _Found()
    except AccessDeniedError as error:
        return "unknown", _Found((denied(error, "get_bucket_versioning"),))
    obstacles: tuple[Obstacle, ...] = ()
    if answer.get("MFADelete") == "Enabled":
        message = f"{client.url} deletes versions only with the code of a device (MFA delete)"
        obstacles = (Obstacle("access-denied", message, "turn MFA delete off with the cloud's own tools"),)
    states: dict[str, Versioning] = {"Enabled": "on", "Suspended": "suspended"}
    return states.get(answer.get("Status", ""), "off"), _Found(obstacles)


def _lock(client: S3Client) -> _Found:
    try:
        answer = client.ask("get_object_lock_configuration", {}, none_for=_NO_LOCK) or {}
    except NotOfferedError:
        return _Found()
    except AccessDeniedError as error:
        return _Found((denied(error, "get_object_lock_configuration"),))
    rule = answer.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
    if not rule:
        return _Found()
    span = f"{rule['Years']} years" if rule.get("Years") else f"{rule.get('Days', 0)} days"
    message = f"{client.url} locks whatever is written for {span} (object lock, default retention)"
    return _Found(
        (Obstacle("object-lock", message, "remove the default retention with the cloud's own tools"),)
    )


def _listings(client: S3Client) -> _Found:
    obstacles = []
    for method, size in (("list_object_versions", "MaxKeys"), ("list_multipart_uploads", "MaxUploads")):
        given = {"Prefix": client.path(""), size: 1}
        try:
            client.ask(method, given, none_for=_NOTHING_THERE)
        except NotOfferedError as error:
            message = f"{error.message}: nobody can tell whether something stays"
            obstacles.append(Obstacle("unverifiable", message, UNVERIFIABLE_HINT))
        except AccessDeniedError as error:
            obstacles.append(denied(error, method))
    return _Found(tuple(obstacles))


def _replication(client: S3Client) -> _Found:
    try:
        answer = client.ask("get_bucket_replication", {}, none_for=_NO_REPLICATION) or {}
    except NotOfferedError:
        return _Found()
    except AccessDeniedError:
        # A replica cannot be reached from here anyway; so not knowing of one is said, and no more.
        right = right_for("get_bucket_replication")
        return _Found(notes=(f"whether {client.url} is replicated could not be read (it needs {right})",))
    rules = answer.get("ReplicationConfiguration", {}).get("Rules") or ()
    targets = sorted({_target(rule) for rule in rules if rule.get("Status", "Enabled") == "Enabled"})
    return _Found(
        notes=tuple(
            f"replicated to {target}: deleted versions stay there, erase them too" for target in targets
        )
    )


def _target(rule: Mapping[str, Any]) -> str:
    return (
        str(rule.get("Destination", {}).get("Bucket", "")).removeprefix("arn:aws:s3:::") or "another bucket"
    )


def _elsewhere(client: S3Client) -> _Found:
    host = urlsplit(client.endpoint_url).hostname or ""
    if host != _GOOGLE and not host.endswith("." + _GOOGLE):
        return _Found()
    message = f"{client.url} is Google's, whose S3 interface tells nothing of soft delete and holds"
    return _Found((Obstacle("unverifiable", message, "name the remote by its gs:// URL"),))


def _tried(client: S3Client) -> list[Obstacle]:
    """Try to write, to delete for good and to end an upload; return what is refused."""
    key = f"leases/.probe-{os.urandom(8).hex()}"
    path = client.path(key)
    # First what leaves nothing: whoever may not delete must not be made to write.
    refused = [
        *_refused(client, "delete_object", {"Key": path, "VersionId": "null"}),
        *_refused(client, "abort_multipart_upload", {"Key": path, "UploadId": "none"}),
    ]
    if refused:
        return refused
    try:
        answer = client.ask("put_object", {"Key": path, "Body": b"probe"}) or {}
    except AccessDeniedError as error:
        return [denied(error, "put_object")]
    given = {"Key": path, "VersionId": answer.get("VersionId") or "null"}
    refused = _refused(client, "delete_object", given)
    if refused or not _is_listed(client, path):
        return refused
    message = f"{client.url} said that a version was deleted, and it is still listed"
    return [Obstacle("unverifiable", message, UNVERIFIABLE_HINT)]


def _refused(client: S3Client, method: str, given: Mapping[str, object]) -> list[Obstacle]:
    try:
        client.ask(method, given, none_for=_NOTHING_THERE)
    except AccessDeniedError as error:
        return [denied(error, method)]
    except NotOfferedError as error:
        return [Obstacle("unverifiable", error.message, UNVERIFIABLE_HINT)]
    return []


def _is_listed(client: S3Client, path: str) -> bool:
    answer = client.ask("list_object_versions", {"Prefix": path}) or {}
    return bool(answer.get("Versions") or answer.get("DeleteMarkers"))
