"""What a person would write without a tool: as many objects as files, or one large one."""

LOOPS = {
    ("boto3", "push"): """
import os, sys, boto3
from concurrent.futures import ThreadPoolExecutor
target, bucket, prefix = sys.argv[1:]
client = boto3.client("s3")
files = [target] if os.path.isfile(target) else [
    os.path.join(where, name) for where, _, names in os.walk(target) for name in names]
with ThreadPoolExecutor(16) as pool:
    list(pool.map(lambda path: client.upload_file(path, bucket, prefix + "/" + path.lstrip("/")), files))
""",
    ("boto3", "pull"): """
import os, sys, boto3
from concurrent.futures import ThreadPoolExecutor
target, bucket, prefix = sys.argv[1:]
client = boto3.client("s3")
pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + "/")
keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
def fetch(key):
    path = target + key[len(prefix):]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    client.download_file(bucket, key, path)
with ThreadPoolExecutor(16) as pool:
    list(pool.map(fetch, keys))
""",
    ("obstore", "push"): """
import os, sys, obstore
from pathlib import Path
from obstore.store import S3Store
target, bucket, prefix = sys.argv[1:]
store = S3Store(bucket, endpoint=os.environ["AWS_ENDPOINT_URL"], client_options={"allow_http": True})
obstore.put(store, prefix + "/" + target.lstrip("/"), Path(target))
""",
    ("obstore", "pull"): """
import os, sys, obstore
from obstore.store import S3Store
target, bucket, prefix = sys.argv[1:]
store = S3Store(bucket, endpoint=os.environ["AWS_ENDPOINT_URL"], client_options={"allow_http": True})
for page in obstore.list(store, prefix=prefix):
    for found in page:
        path = target + "/" + found["path"]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            for part in obstore.get(store, found["path"]):
                file.write(part)
""",
}
"""By client and step: a program whose arguments are the data's place, the bucket and a prefix in it."""
