"""Tokens that must never be taken: one list for the verifier by itself and for the public door."""

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.features.jwt.provider import Signer, b64, claims, hs256

N_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Hostile:
    """Makes tokens against an issuer that knows `ed`, `rs` and `es`, and an audience."""

    def __init__(self, ed: Signer, rs: Signer, es: Signer, audience: str) -> None:
        self.ed, self.rs, self.es, self.audience = ed, rs, es, audience

    def good(self, **others: Any) -> dict[str, Any]:
        return claims(self.audience, **others)

    def all(self) -> dict[str, str]:
        """Name → token. What is wrong is in the name."""
        return {
            **self.algorithms(),
            **self.headers(),
            **self.key_ids(),
            **self.claims(),
            **self.audiences(),
            **self.spellings(),
            **self.signatures(),
        }

    def algorithms(self) -> dict[str, str]:
        made = {}
        for name in ("none", "None", "NONE", "nOnE", "none ", "", "HS256", "hs256", "EDDSA", "ES256K", "RSA1_5"):
            head = {"alg": name, "typ": "at+jwt", "kid": "k1"}
            text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(self.good()).encode())}"
            made[f"alg {name!r} without signature"] = f"{text}."
            made[f"alg {name!r} with a signature"] = f"{text}.{b64(self.ed.sign(text.encode()))}"
        for name in (None, 1, ["EdDSA"], {"a": 1}, True):
            head = {"alg": name, "typ": "at+jwt", "kid": "k1"}
            made[f"alg is {type(name).__name__}"] = self.ed.raw(json.dumps(head).encode(), self.payload())
        public = self.rs.private.public_key()
        forms = {
            "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "pem without the last newline": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)[:-1],
            "pkcs1": public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
            "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "jwk": json.dumps(self.rs.jwk()).encode(),
            "n": base64.urlsafe_b64decode(self.rs.jwk()["n"] + "=="),
            "empty": b"",
        }
        for form, secret in forms.items():
            for name in ("HS256", "HS384", "HS512"):
                head = {"alg": name, "typ": "at+jwt", "kid": self.rs.kid}
                made[f"{name} with the public key as {form}"] = hs256(secret, head, self.good())
        made["RS256 under a key for EdDSA"] = self.rs.token(self.good(), {"kid": "k1"})
        made["ES256 that says ES384"] = self.es.token(self.good(), {"alg": "ES384"})
        made["RS256 that says PS256"] = self.rs.token(self.good(), {"alg": "PS256"})
        return made

    def headers(self) -> dict[str, str]:
        own = Signer.make("EdDSA", "mine")
        jwk = own.jwk()
        made = {
            "embedded jwk": own.token(self.good(), {"jwk": jwk}),
            "embedded jwk under a known kid": own.token(self.good(), {"jwk": jwk, "kid": "k1"}),
            "jku": own.token(self.good(), {"jku": "http://127.0.0.1:1/jwks.json"}),
            "x5u": own.token(self.good(), {"x5u": "http://127.0.0.1:1/cert.pem"}),
            "x5c": own.token(self.good(), {"x5c": ["MIIB"]}),
            "good signature with jwk": self.ed.token(self.good(), {"jwk": self.ed.jwk()}),
            "good signature with jku": self.ed.token(self.good(), {"jku": "https://id.example.test/jwks.json"}),
            "crit": self.ed.token(self.good(), {"crit": ["exp"], "exp": 1}),
            "empty crit": self.ed.token(self.good(), {"crit": []}),
            "b64 false": self.ed.token(self.good(), {"b64": False, "crit": ["b64"]}),
            "nested, with cty": self.ed.token(self.good(), {"cty": "JWT"}),
            "nested": self.ed.raw(self.header(), self.ed.token(self.good()).encode()),
            "encrypted": f"{b64(json.dumps({'alg': 'dir', 'enc': 'A256GCM'}).encode())}..AAAA.AAAA.AAAA",
        }
        for name in ("JWT", "jwt", "at+jwtx", "", "id+jwt", "logout+jwt", "dpop+jwt", "at\u212ajwt", 1, ["at+jwt"]):
            made[f"typ {name!r}"] = self.ed.token(self.good(), {"typ": name})
        made["no typ"] = self.ed.token(self.good(), {"typ": None})
        return made

    def key_ids(self) -> dict[str, str]:
        own = Signer.make("EdDSA", "mine")
        names: list[Any] = [
            *("../../../../dev/null", "/dev/null", "k1' OR '1'='1", "' UNION SELECT 'AAAA' --", "| id", "k1\0", "K1"),
            *("k1 ", " k1", "", "\u202ek1", "k\uff11", "http://127.0.0.1:1/key", "${jndi:ldap://a}", "x" * 10_000),
            *(0, True, None, ["k1"], {"kid": "k1"}),
        ]
        made = {}
        for name in names:
            head = {"alg": "EdDSA", "typ": "at+jwt", "kid": name}
            made[f"kid {str(name)[:20]!r}"] = own.raw(json.dumps(head).encode(), self.payload())
        made["no kid and another's key"] = own.token(self.good(), {"kid": None})
        made["another's key under a known kid"] = own.token(self.good(), {"kid": "k1"})
        return made

    def claims(self) -> dict[str, str]:
        now = time.time()
        wrong: dict[str, dict[str, Any]] = {
            "iss of another": {"iss": "https://id.example.test.evil"},
            "iss with a slash more": {"iss": "https://id.example.test/"},
            "iss in capitals": {"iss": "https://ID.example.test"},
            "iss with a look-alike": {"iss": "https://id.ex\u0430mple.test"},
            "iss as a list": {"iss": ["https://id.example.test"]},
            "no iss": {"iss": None},
            "expired": {"exp": now - 1},
            "expired long ago": {"exp": 1},
            "no exp": {"exp": None},
            "exp as text": {"exp": str(int(now + 600))},
            "exp as true": {"exp": True},
            "exp as a list": {"exp": [now + 600]},
            "exp beyond time": {"exp": 1e300},
            "negative exp": {"exp": -1},
            "nbf to come": {"nbf": now + 120},
            "nbf as text": {"nbf": "0"},
            "nbf as true": {"nbf": True},
            "iat to come": {"iat": now + 120},
            "too long a life": {"iat": now, "exp": now + 90_000},
            "too long a life without iat": {"iat": None, "exp": now + 90_000},
            "no sub": {"sub": None},
            "empty sub": {"sub": ""},
            "sub as a number": {"sub": 1},
            "sub too long": {"sub": "a" * 256},
            "sub with a zero byte": {"sub": "alice\0"},
            "sub that turns text around": {"sub": "\u202eecila"},
            "sub with half a character": {"sub": "\ud800"},
            "sub with an invisible space": {"sub": "alice\u200b"},
            "jti as a number": {"jti": 1},
            "two clients": {"client_id": "a", "azp": "b"},
            "client as a list": {"client_id": ["a"]},
            "act as text": {"act": "bob"},
            "act without sub": {"act": {"client_id": "a"}},
        }
        made = {name: self.ed.token(self.good(**others)) for name, others in wrong.items()}
        text = json.dumps(self.good())
        for name, before, after in (
            ("sub twice", '"sub": "alice"', '"sub": "alice", "sub": "root"'),
            ("sub twice, once escaped", '"sub": "alice"', '"\\u0073ub": "root", "sub": "alice"'),
            ("iss twice", '"iss":', '"iss": "https://evil.example", "iss":'),
            ("a claim inside twice", '"sub": "alice"', '"sub": "alice", "act": {"sub": "a", "sub": "b"}'),
        ):
            assert before in text
            made[name] = self.ed.raw(self.header(), text.replace(before, after).encode())
        head = self.header().decode()
        for name, extra in (("alg twice", '"alg": "none", '), ("kid twice", '"kid": "x", ')):
            made[name] = self.ed.raw(head.replace("{", "{" + extra, 1).encode(), self.payload())
        return made

    def audiences(self) -> dict[str, str]:
        ours = self.audience
        wrong = [
            *(
                "https://elsewhere.example/mcp",
                ours + "/",
                ours[:-1],
                ours.upper(),
                ours + "?a=1",
                ours + "#a",
                f" {ours}",
            ),
            *([], "", ["https://elsewhere.example/mcp"], [ours, 1], [[ours]], {"aud": ours}, {ours: 1}, 1, True),
            *([ours] * 257, f"{ours},https://elsewhere.example", f"{ours} https://elsewhere.example", [f"{ours}\0"]),
        ]
        made = {f"aud {number}: {str(aud)[:40]}": self.ed.token(self.good(aud=aud)) for number, aud in enumerate(wrong)}
        made["no aud"] = self.ed.token(self.good(aud=None))
        return made

    def spellings(self) -> dict[str, str]:
        token = self.ed.token(self.good())
        head, payload, signature = token.split(".")
        return {
            "padding": f"{head}.{payload}.{signature}==",
            "padded header": f"{head}=.{payload}.{signature}",
            "white space inside": f"{head}.{payload}. {signature}",
            "line break": f"{head}.{payload}.{signature[:40]}\t{signature[40:]}",
            "four parts": f"{token}.{signature}",
            "two parts": f"{head}.{payload}",
            "one part and dots": f"{head}..",
            "only dots": "..",
            "unused bits": f"{head}.{payload}.{signature[:-1]}{chr(ord(signature[-1]) + 1)}",
            "plain base64": self.ed.raw(self.header(), json.dumps(self.good(x="\u00ff\u00fe?>" * 9)).encode())
            .replace("-", "+")
            .replace("_", "/"),
            "junk": "a.b.c",
            "header is a list": self.ed.raw(b'["EdDSA"]', self.payload()),
            "header is not JSON": self.ed.raw(b"alg=EdDSA", self.payload()),
            "payload is a list": self.ed.raw(self.header(), b"[1]"),
            "payload is null": self.ed.raw(self.header(), b"null"),
            "payload is not UTF-8": self.ed.raw(self.header(), b'{"iss":"\xff"}'),
            "payload with a byte order mark": self.ed.raw(self.header(), b"\xef\xbb\xbf" + self.payload()),
            "payload in UTF-16": self.ed.raw(self.header(), json.dumps(self.good()).encode("utf-16")),
            "payload nested too deep": self.ed.raw(self.header(), b'{"a":' * 500 + b"1" + b"}" * 500),
            "NaN": self.ed.raw(self.header(), self.payload()[:-1] + b',"nbf":NaN}'),
            "comment": self.ed.raw(self.header(), self.payload() + b"// x"),
            "twice": self.ed.raw(self.header(), self.payload() * 2),
            "longer than the ceiling": self.ed.token(self.good(filler="x" * 13_000)),
        }

    def signatures(self) -> dict[str, str]:
        token = self.ed.token(self.good())
        signed, _, signature = token.rpartition(".")
        octets = base64.urlsafe_b64decode(signature + "==")
        elliptic = self.es.token(self.good())
        es_signed, _, es_signature = elliptic.rpartition(".")
        es_octets = base64.urlsafe_b64decode(es_signature + "==")
        order = N_P256.to_bytes(32)
        der = bytes.fromhex("30440220") + es_octets[:32] + bytes.fromhex("0220") + es_octets[32:]
        return {
            "no signature": f"{signed}.",
            "signature of zeros": f"{signed}.{b64(bytes(64))}",
            "shorter signature": f"{signed}.{b64(octets[:-1])}",
            "longer signature": f"{signed}.{b64(octets + bytes(1))}",
            "one bit of the signature": f"{signed}.{b64(bytes([octets[0] ^ 1]) + octets[1:])}",
            "signature of another token": f"{signed}.{self.ed.token(self.good(sub='bob')).rpartition('.')[2]}",
            "payload changed": token.replace(token.split(".")[1], b64(json.dumps(self.good(sub="root")).encode())),
            "Ed25519 s beyond the order": f"{signed}.{b64(octets[:32] + beyond_order(octets[32:]))}",
            "ES256 zeros (CVE-2022-21449)": f"{es_signed}.{b64(bytes(64))}",
            "ES256 r and s the order": f"{es_signed}.{b64(order + order)}",
            "ES256 r zero": f"{es_signed}.{b64(bytes(32) + es_octets[32:])}",
            "ES256 s zero": f"{es_signed}.{b64(es_octets[:32] + bytes(32))}",
            "ES256 longer": f"{es_signed}.{b64(bytes(1) + es_octets[:32] + bytes(1) + es_octets[32:])}",
            "ES256 as DER": f"{es_signed}.{b64(der)}",
        }

    def header(self) -> bytes:
        return json.dumps({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"}).encode()

    def payload(self) -> bytes:
        return json.dumps(self.good()).encode()


def beyond_order(scalar: bytes) -> bytes:
    """The same scalar, written as one that is greater than the group's order (RFC 8032 §5.1.7 refuses it)."""
    order = 2**252 + 27742317777372353535851937790883648493
    return (int.from_bytes(scalar, "little") + order).to_bytes(32, "little")
