"""An identity provider for tests: keys, tokens and a key set over real HTTP or HTTPS.

It signs with `cryptography` directly, so that what it makes does not depend on the library that is tested.
"""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "https://id.example.test"
_CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
_NAMES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8))


@cache
def rsa_key(bits: int = 2048, which: int = 0) -> rsa.RSAPrivateKey:
    """Made once in a test run: an RSA key takes a tenth of a second."""
    return rsa.generate_private_key(65537, bits)


def hash_of(algorithm: str) -> hashes.HashAlgorithm:
    return {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[algorithm[2:]]


@dataclass
class Signer:
    """One private key and its public half as a JWK."""

    algorithm: str
    kid: str | None
    private: Any

    @classmethod
    def make(cls, algorithm: str = "EdDSA", kid: str | None = "k1", which: int = 0) -> "Signer":
        if algorithm in ("EdDSA", "Ed25519"):
            return cls(algorithm, kid, ed25519.Ed25519PrivateKey.generate())
        if algorithm.startswith("ES"):
            return cls(algorithm, kid, ec.generate_private_key(_CURVES[algorithm]))
        return cls(algorithm, kid, rsa_key(2048, which))

    def sign(self, data: bytes) -> bytes:
        if self.algorithm in ("EdDSA", "Ed25519"):
            return self.private.sign(data)
        digest = hash_of(self.algorithm)
        if self.algorithm.startswith("ES"):
            size = (self.private.key_size + 7) // 8
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
            return r.to_bytes(size) + s.to_bytes(size)
        if self.algorithm.startswith("PS"):
            pad: Any = padding.PSS(padding.MGF1(digest), digest.digest_size)
            return self.private.sign(data, pad, digest)
        return self.private.sign(data, padding.PKCS1v15(), digest)

    def jwk(self, **members: Any) -> dict[str, Any]:
        public = self.private.public_key()
        named = {} if self.kid is None else {"kid": self.kid}
        if self.algorithm in ("EdDSA", "Ed25519"):
            made = {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}
        elif self.algorithm.startswith("ES"):
            size, numbers = (public.key_size + 7) // 8, public.public_numbers()
            point = {"x": number(numbers.x, size), "y": number(numbers.y, size)}
            made = {"kty": "EC", "crv": _NAMES[self.algorithm], **point}
        else:
            numbers = public.public_numbers()
            made = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        return {**made, "use": "sig", **named, **members}

    def token(self, claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
        """A token of these claims; `header` is joined to, or replaces, what belongs there. None leaves one out."""
        usual = {"alg": self.algorithm, "typ": "at+jwt", "kid": self.kid}
        whole = {name: value for name, value in {**usual, **(header or {})}.items() if value is not None}
        return self.raw(json.dumps(whole).encode(), json.dumps(claims).encode())

    def raw(self, header: bytes, payload: bytes) -> str:
        signed = f"{b64(header)}.{b64(payload)}"
        return f"{signed}.{b64(self.sign(signed.encode()))}"


def hs256(secret: bytes, header: dict[str, Any], claims: dict[str, Any]) -> str:
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def claims(audience: str = "http://gw/mcp", *, life_s: float = 600, **others: Any) -> dict[str, Any]:
    """What a good access token says; None among `others` leaves a claim out."""
    now = time.time()
    usual = {
        "iss": ISSUER,
        "aud": audience,
        "sub": "alice",
        "client_id": "desk",
        "iat": int(now),
        "exp": now + life_s,
        "jti": f"t-{now}",
    }
    return {name: value for name, value in {**usual, **others}.items() if value is not None}


@dataclass
class Provider:
    """A key set on a port of its own."""

    url: str
    keys: list[dict[str, Any]] = field(default_factory=list)
    document: bytes | None = None
    """What is answered instead of the keys."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hits: int = 0

    def publish(self, *signers: Signer) -> None:
        self.keys = [signer.jwk() for signer in signers]

    def body(self) -> bytes:
        return self.document if self.document is not None else json.dumps({"keys": self.keys}).encode()


@contextmanager
def publishing(*signers: Signer, tls: ssl.SSLContext | None = None) -> Iterator[Provider]:
    """A provider whose key set holds the public keys of `signers`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.hits += 1
            body = provider.body()
            self.send_response(provider.status)
            for name, value in {"Content-Type": "application/json", **provider.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    provider = Provider(f"{scheme}://127.0.0.1:{server.server_address[1]}/jwks.json")
    provider.publish(*signers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()
