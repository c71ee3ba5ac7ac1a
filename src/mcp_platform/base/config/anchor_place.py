"""Where checkpoints are taken to: the written form of a place, taken apart. Pure.

file:/path · syslog+unix:/dev/log · syslog+udp://host:514 · syslog+tcp://host:601
s3+https://endpoint/bucket/prefix?region=NAME&credentials=/path
"""

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

MAX_CHARACTERS: Final = 1024
SYSLOG_PORTS: Final = {"syslog+udp": 514, "syslog+tcp": 601}
"""RFC 5426 and RFC 3195; RFC 6587 names no port of its own for TCP."""
_S3_KEYS: Final = {"region", "credentials"}


@dataclass(frozen=True, slots=True)
class Place:
    """One place."""

    kind: str
    """`file`, `syslog+unix`, `syslog+udp`, `syslog+tcp`, `s3`."""
    path: str = ""
    """Of the file or socket."""
    host: str = ""
    port: int = 0
    url: str = ""
    """s3: scheme and authority."""
    bucket: str = ""
    prefix: str = ""
    region: str = "us-east-1"
    credentials: str = ""
    """s3: file with the access key, 0600."""

    @property
    def name(self) -> str:
        """As it is told to people: nothing secret stands in a place."""
        if self.kind == "s3":
            return f"s3+{self.url}/{self.bucket}/{self.prefix}".rstrip("/")
        return f"{self.kind}:{self.path}" if self.path else f"{self.kind}://{self.host}:{self.port}"


class PlaceError(ValueError):
    """It says what was expected, and nothing of what came."""


def parse_place(text: str) -> Place:
    """Raises PlaceError."""
    try:
        return _parse(text)
    except PlaceError:
        raise
    except ValueError:  # of urlsplit, which quotes the port that it could not read
        raise PlaceError("a place whose host and port can be read") from None


def _parse(text: str) -> Place:
    if len(text) > MAX_CHARACTERS or not text.isascii() or not text.isprintable() or " " in text:
        raise PlaceError("a place of visible ASCII characters")
    parts = urlsplit(text)
    if parts.scheme in ("file", "syslog+unix"):
        if parts.netloc or not parts.path.startswith("/") or parts.query or parts.fragment:
            raise PlaceError(f"{parts.scheme}:/an/absolute/path")
        return Place(parts.scheme, path=unquote(parts.path))
    if parts.scheme in SYSLOG_PORTS:
        return _syslog(parts)
    if parts.scheme in ("s3+https", "s3+http"):
        return _s3(parts)
    raise PlaceError("file:, syslog+unix:, syslog+udp://, syslog+tcp:// or s3+https://")


def _syslog(parts: SplitResult) -> Place:
    if not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise PlaceError(f"{parts.scheme}://host:port")
    return Place(parts.scheme, host=parts.hostname, port=parts.port or SYSLOG_PORTS[parts.scheme])


def _s3(parts: SplitResult) -> Place:
    bucket, _, prefix = parts.path.strip("/").partition("/")
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    well = parts.hostname and bucket and "@" not in parts.netloc and not parts.fragment and set(given) <= _S3_KEYS
    if not well or not given.get("credentials", "").startswith("/"):
        raise PlaceError("s3+https://endpoint/bucket/prefix?region=NAME&credentials=/path")
    scheme = parts.scheme.removeprefix("s3+")
    if scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise PlaceError("s3+https://: without TLS only this machine itself")
    return Place(
        "s3",
        url=f"{scheme}://{parts.netloc}",
        bucket=bucket,
        prefix=prefix,
        region=given.get("region") or "us-east-1",
        credentials=given["credentials"],
    )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class PlaceForm:
    """A place to which checkpoints can be taken."""

    def expected(self, value: object) -> str | None:
        """None when `value` is fine, otherwise what was expected, in words."""
        try:
            parse_place(str(value))
        except PlaceError as error:
            return str(error)
        return None
