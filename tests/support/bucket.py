"""A bucket on loopback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "made",
    "AWS_SECRET_ACCESS_KEY": "made",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def bucket_server(name: str = "city") -> Iterator[dict[str, str]]:
    """Serve an empty bucket; gives the environment in which s3:// reaches it, and sets it in this process."""
    import boto3
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = ENVIRONMENT | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    before = {key: os.environ.get(key) for key in environment}
    os.environ.update(environment)
    s3fs.S3FileSystem.clear_instance_cache()  # connections are kept by bucket, and would go to the server before
    try:
        boto3.client("s3").create_bucket(Bucket=name)
        yield environment
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.__setitem__(key, value)
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()
