"""What the tests know of a running server: where it is, how dataver reaches it, how to get a bucket."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Server:
    """A server on loopback; also one that is reached through a proxy."""

    name: str
    scheme: str
    """Of dataver's URLs: `s3`, `gs`, `sftp` ..."""
    endpoint: str
    """`http://127.0.0.1:PORT`."""
    options: Mapping[str, object]
    """What the configuration of a remote there says; `store.url.open_bucket` takes them as they are."""
    create_bucket: Callable[[str], None]
    """Makes the bucket of a name, past every proxy."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """For programs that find the server without options: boto3, DVC, the command line."""

    def fresh_bucket(self) -> str:
        """Return the URL of a new, empty bucket."""
        name = f"test-{os.urandom(6).hex()}"
        self.create_bucket(name)
        return f"{self.scheme}://{name}"

    def through(self, endpoint: str) -> Server:
        """Return this server as it is reached at another address, a proxy's."""
        environment = {
            name: value.replace(self.endpoint, endpoint) for name, value in self.environment.items()
        }
        options = {**self.options, "endpoint_url": endpoint}
        return replace(self, endpoint=endpoint, options=options, environment=environment)


def s3_server(name: str, endpoint: str, key: str, secret: str) -> Server:
    """Return a server that speaks S3."""

    def create_bucket(bucket: str) -> None:
        client = s3_client(endpoint, key, secret)
        try:
            client.create_bucket(Bucket=bucket)
        finally:
            client.close()

    options = {
        "endpoint_url": endpoint, "region": REGION, "access_key_id": key, "secret_access_key": secret,
    }  # fmt: skip
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return Server(name, "s3", endpoint, options, create_bucket, environment)


def s3_client(endpoint: str, key: str, secret: str) -> Any:
    """Return a boto3 client, to be closed: for what dataver itself never does, such as making buckets."""
    import boto3  # 0.3 s: only where a server is used

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name=REGION,
    )
