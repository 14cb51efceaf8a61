"""How S3 is reached: keys, region and address as the AWS tools would find them, for a client that cannot.

The only module that imports botocore, and only where something is said in a way that only botocore
reads: a profile, a shared file, single sign-on, a role.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

_GOOD_FOR = timedelta(minutes=5)
_ASKED_S = 5.0
_REGION = re.compile(r"[a-z0-9-]{1,32}")
_FILES = (
    ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    ("AWS_CONFIG_FILE", "~/.aws/config"),
)
# What only botocore does; where one of these is set, s3fs carries the bytes.
_OTHER_WAYS = ("AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT", "AWS_ENDPOINT_URL_STS")


class Access(NamedTuple):
    """What a client needs to reach a bucket."""

    region: str
    """Empty where nothing says it."""
    endpoint_url: str
    """Empty for the cloud's own."""
    keys: tuple[str, str, str] | None
    """Access key, secret key and token (or empty), for good."""
    renewed: Callable[[], dict[str, Any]] | None
    """Gives keys that expire; None where `keys` has them."""
    is_anonymous: bool

    @property
    def whom(self) -> str:
        """Return who asks, for people: the end of the key's id; empty where it is not known yet."""
        if self.is_anonymous:
            return "anonymous"
        return f"key ...{self.keys[0][-4:]}" if self.keys else ""

    @property
    def has_credentials(self) -> bool:
        return self.is_anonymous or self.keys is not None or self.renewed is not None


def find_access(options: Mapping[str, object], env: Mapping[str, str]) -> Access | None:
    """Return how to reach S3 by *options* of the config and *env*; None where only s3fs knows how.

    Raises: ValueError for a profile that does not exist.
    """
    if any(env.get(name) for name in _OTHER_WAYS) or options.get("version_aware"):
        return None
    text = {name: str(value) for name, value in options.items() if value}
    region = text.get("region") or env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION", "")
    endpoint = text.get("endpoint_url") or env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL", "")
    keys = _keys(text, env)
    is_anonymous = bool(options.get("anon"))
    profile = text.get("profile") or env.get("AWS_PROFILE", "")
    is_said = (is_anonymous or keys is not None) and bool(region or endpoint)
    if not profile and (is_said or ((is_anonymous or keys) and not _has_files(env))):
        return Access(region, endpoint, keys, None, is_anonymous)
    return _asked(Access(region, endpoint, keys, None, is_anonymous), profile)


def _keys(text: Mapping[str, str], env: Mapping[str, str]) -> tuple[str, str, str] | None:
    if "access_key_id" in text and "secret_access_key" in text:
        return text["access_key_id"], text["secret_access_key"], text.get("session_token", "")
    # A profile that the config names is stronger than the environment, as in the AWS tools.
    if "profile" not in text and env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY"):
        return env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN", "")
    return None


def region_of(endpoint_url: str, bucket: str) -> str:
    """Return the region that any answer about *bucket* names in a header; empty where none does.

    Asked without credentials, once a request was sent elsewhere: the client keeps that header to itself.
    """
    from http.client import HTTPConnection, HTTPException, HTTPSConnection  # only where a region is wrong
    from urllib.parse import urlsplit  # the same door

    place = urlsplit(endpoint_url or "https://s3.amazonaws.com")
    kind = HTTPConnection if place.scheme == "http" else HTTPSConnection
    connection = kind(place.hostname or "", place.port, timeout=_ASKED_S)
    try:
        connection.request("HEAD", f"/{bucket}")
        found = connection.getresponse().getheader("x-amz-bucket-region", "")
    except (OSError, HTTPException):
        return ""
    finally:
        connection.close()
    return found if _REGION.fullmatch(found) else ""


def _has_files(env: Mapping[str, str]) -> bool:
    return any(os.path.exists(os.path.expanduser(env.get(name) or usual)) for name, usual in _FILES)


def _asked(access: Access, profile: str) -> Access | None:
    import botocore.exceptions  # 150 ms: only where something is said that only botocore reads
    import botocore.session  # the same door

    session = botocore.session.Session(profile=profile or None)
    try:
        scoped = session.get_scoped_config()
    except botocore.exceptions.ProfileNotFound as error:
        raise ValueError(str(error)) from error
    if "services" in scoped or isinstance(scoped.get("s3"), dict):
        return None  # settings of one service: addressing style, other endpoints
    access = access._replace(
        region=access.region or session.get_config_variable("region") or "",
        endpoint_url=access.endpoint_url or scoped.get("endpoint_url", ""),
    )
    if access.has_credentials:
        return access
    found = session.get_credentials()
    return access if found is None else access._replace(renewed=_renewer(found))


def _renewer(credentials: Any) -> Callable[[], dict[str, Any]]:
    def renewed() -> dict[str, Any]:
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _GOOD_FOR,
        }

    return renewed
