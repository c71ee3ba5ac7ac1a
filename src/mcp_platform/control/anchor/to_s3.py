"""An S3-compatible store: one object for each checkpoint, put with our own client and a signature of version 4."""

import asyncio
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mcp_platform.base import clock
from mcp_platform.base.config.anchor_place import Place
from mcp_platform.base.errors import Fault
from mcp_platform.control.anchor.errors import ANCHOR_FAILED
from mcp_platform.control.anchor.sigv4 import Signer, encoded_path, hash_of
from mcp_platform.net.client import HttpClient
from mcp_platform.net.client_address import IpAddress, operator_added, parse_url
from mcp_platform.net.client_head import head

PUT_S: Final = 20.0
"""Seconds for the whole of it."""
MAX_ANSWER_BYTES: Final = 64 * 1024
MAX_CREDENTIALS_BYTES: Final = 16 * 1024


async def put(place: Place, name: str, content: bytes) -> None:
    """Raises Fault(anchor_failed) with `stage` in its data."""
    signer, token = await asyncio.to_thread(_credentials, place)
    is_plain = place.url.startswith("http:")
    client = HttpClient(max_connections=1, allowed=_is_this_machine if is_plain else operator_added)
    try:
        async with asyncio.timeout(PUT_S):
            await _put(client, place, name, content, signer, token)
    except TimeoutError:
        raise Fault(ANCHOR_FAILED, data={"stage": "time"}) from None
    except Fault as fault:
        if fault.kind is ANCHOR_FAILED:
            raise
        raise Fault(ANCHOR_FAILED, data={"stage": fault.data.get("stage", "http")}) from fault
    finally:
        await client.close()


async def _put(client: HttpClient, place: Place, name: str, content: bytes, signer: Signer, token: str) -> None:
    key = "/".join(part for part in (place.bucket, place.prefix.strip("/"), name) if part)
    path = f"/{key}"
    destination = parse_url(f"{place.url}{encoded_path(path)}")
    at = f"{datetime.fromtimestamp(clock.now(), UTC):%Y%m%dT%H%M%SZ}"
    digest = hash_of(content)
    headers = {"content-type": "application/json", "x-amz-content-sha256": digest, "x-amz-date": at}
    if token:
        headers["x-amz-security-token"] = token
    signed = {**headers, "host": destination.origin.authority}
    headers["authorization"] = signer.authorization("PUT", path, "", signed, digest, at)
    exchange = await client.open(destination)
    try:
        exchange.send(head("PUT", destination, headers), content)
        await exchange.head()
        status = exchange.status
        await exchange.read(MAX_ANSWER_BYTES)
    finally:
        exchange.close()
    if not 200 <= status < 300:
        raise Fault(ANCHOR_FAILED, data={"stage": "answer", "status": status})


def _credentials(place: Place) -> tuple[Signer, str]:
    """Of a file as AWS's own programs have it: `aws_access_key_id = …`, `aws_secret_access_key = …`, perhaps
    `aws_session_token = …`. It must be ours alone."""
    found: dict[str, str] = {}
    try:
        with Path(place.credentials).open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_IMODE(status.st_mode) & 0o077:
                text = "The file with the S3 credentials is open to others; run chmod 600 on it."
                raise Fault(ANCHOR_FAILED, text, {"stage": "credentials"})
            text = file.read(MAX_CREDENTIALS_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(ANCHOR_FAILED, data={"stage": "credentials"}) from error
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            found.setdefault(name.strip().lower(), value.strip())
    access, secret = found.get("aws_access_key_id", ""), found.get("aws_secret_access_key", "")
    if not access or not secret:
        raise Fault(ANCHOR_FAILED, data={"stage": "credentials"})
    return Signer(access, secret, place.region), found.get("aws_session_token", "")


def _is_this_machine(address: IpAddress) -> bool:
    return address.is_loopback
