"""AWS Signature Version 4 for one request whose body is known. Pure; checked against AWS's published examples.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs, and for what."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str
    service: str = "s3"

    def authorization(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body_hash: str, at: str
    ) -> str:
        """The Authorization header. `headers`: all that are signed, `host` among them; `at`: as in `x-amz-date`."""
        named = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
        signed = ";".join(sorted(named))
        request = "\n".join(
            [
                method,
                encoded_path(path),
                canonical_query(query),
                *(f"{name}:{named[name]}" for name in sorted(named)),
                "",
                signed,
                body_hash,
            ]
        )
        scope = f"{at[:8]}/{self.region}/{self.service}/aws4_request"
        to_sign = f"{ALGORITHM}\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.new(self._key(at[:8]), to_sign.encode(), hashlib.sha256).hexdigest()
        return f"{ALGORITHM} Credential={self.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"

    def _key(self, date: str) -> bytes:
        key = f"AWS4{self.secret_key}".encode()
        for part in (date, self.region, self.service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def encoded_path(path: str) -> str:
    """As S3 wants it: each segment encoded once, `/` kept."""
    return quote(path, safe="/-_.~") or "/"


def canonical_query(query: str) -> str:
    pairs = [(quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(query, keep_blank_values=True)]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def hash_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
