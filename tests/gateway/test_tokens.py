"""What a worker remembers of tokens: a signature is verified once, everything else is asked of each snapshot anew."""

import time
from typing import Any

import pytest

from mcp_platform.base.errors import Fault
from mcp_platform.features.identity.model import PrincipalRow
from mcp_platform.features.jwt.errors import TOKEN_INVALID
from mcp_platform.features.jwt.model import IssuerRow
from mcp_platform.features.jwt.tables import sealed_for_workers
from mcp_platform.gateway import tokens
from mcp_platform.gateway.tokens import Bearer, KeyUnknown, Tokens, Verified
from mcp_platform.snapshot.model import Snapshot
from tests.features.jwt.provider import Signer, b64, claims, hs256
from tests.features.jwt.test_check import AUDIENCE, row

MAC = b"m" * 32
ED = Signer.make("EdDSA", "k1")


class Worker:
    """A worker's memory over snapshots; counts the signatures it verifies."""

    def __init__(self) -> None:
        self.verified: Verified = {}
        self.signatures = 0
        self.now = Tokens(Snapshot(), MAC, AUDIENCE, self.verified)

    def take(self, *issuers: IssuerRow, principals: tuple[PrincipalRow, ...] = ()) -> None:
        known = {each.id: each for each in principals}
        self.now = Tokens(Snapshot(issuers=issuers, principals=(known,)), MAC, AUDIENCE, self.verified)

    def ask(self, token: str, at: float | None = None) -> Bearer:
        def guard() -> None:
            self.signatures += 1

        return self.now.bearer_of(token, time.time() if at is None else at, guard)

    def refuses(self, token: str, at: float | None = None) -> bool:
        try:
            self.ask(token, at)
        except Fault as fault:
            return fault.kind is TOKEN_INVALID
        return False


@pytest.fixture
def worker() -> Worker:
    made = Worker()
    made.take(row(ED))
    return made


def test_a_signature_is_verified_once_also_over_snapshots(worker: Worker) -> None:
    token = ED.token(claims(AUDIENCE))
    for _ in range(3):
        worker.ask(token)
    worker.take(row(ED), row(Signer.make("ES256", "other"), id="iss_2", url="https://two.example"))
    assert worker.ask(token).principal.name == "corp:alice"
    assert worker.signatures == 1


GONE: dict[str, tuple[IssuerRow, ...]] = {
    "the issuer": (),
    "the key": (row(Signer.make("EdDSA", "k1")),),
    "the key's algorithm": (row(keys=tuple(type(key)(key.kid, ("Ed25519",), key.jwk) for key in row(ED).keys)),),
    "the token": (row(ED, revoked_tokens={"t1": 1e12}),),
    "the subject": (row(ED, revoked_subjects={"alice": 1e12}),),
    "the issuer, replaced under its name": (row(ED, id="iss_2", url="https://other.example"),),
    "the principal": (row(ED, links={"alice": "prn_gone"}),),
}


@pytest.mark.parametrize("what", GONE)
def test_what_is_taken_back_is_gone_with_the_next_snapshot(worker: Worker, what: str) -> None:
    token = ED.token(claims(AUDIENCE, jti="t1"))
    worker.ask(token)
    worker.take(*GONE[what])
    assert worker.refuses(token)
    assert worker.refuses(token)
    worker.take(row(ED))
    assert not worker.refuses(token)


def test_nothing_that_is_remembered_outlives_its_expiry(worker: Worker) -> None:
    said = claims(AUDIENCE)
    token = ED.token(said)
    worker.ask(token)
    assert not worker.refuses(token, said["exp"] - 0.001)
    assert worker.refuses(token, said["exp"])
    worker.take(row(ED))
    assert worker.refuses(token, said["exp"])


def test_a_linked_subject_is_the_stored_principal_with_both_their_roles(worker: Worker) -> None:
    token = ED.token(claims(AUDIENCE, groups=["staff"]))
    stored = PrincipalRow("prn_a", "ana", "person", "default", ("reader",))
    others: dict[str, Any] = {"roles_claim": "groups", "role_map": {"staff": ("member",)}}
    worker.take(row(ED, links={"alice": "prn_a"}, **others), principals=(stored,))
    bearer = worker.ask(token)
    assert (bearer.principal.id, bearer.principal.roles) == ("prn_a", ("member", "reader"))
    disabled = PrincipalRow("prn_a", "ana", "person", "default", ("reader",), disabled=True)
    worker.take(row(ED, links={"alice": "prn_a"}, **others), principals=(disabled,))
    assert worker.refuses(token)


@pytest.mark.parametrize(
    ("said", "agent", "kind"),
    [
        ({}, "corp:desk", "person"),
        ({"client_id": "alice"}, "corp:alice", "service"),
        ({"client_id": None}, "corp:alice", "person"),
        ({"act": {"sub": "robot"}}, "corp:robot", "person"),
    ],
)
def test_the_agent_stands_beside_the_principal(worker: Worker, said: dict[str, Any], agent: str, kind: str) -> None:
    bearer = worker.ask(ED.token(claims(AUDIENCE, **said)))
    assert (bearer.agent, bearer.principal.kind, bearer.principal.name) == (agent, kind, "corp:alice")


def test_memory_is_bounded(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_REMEMBERED", 3)
    made = [ED.token(claims(AUDIENCE, jti=str(number))) for number in range(5)]
    for token in made:
        worker.ask(token)
    assert len(worker.verified) == 3
    worker.ask(made[-1])
    assert worker.signatures == 5
    worker.ask(made[0])
    assert worker.signatures == 6


def test_refused_tokens_are_not_remembered(worker: Worker) -> None:
    for number in range(20):
        assert worker.refuses(ED.token(claims("https://elsewhere.example", jti=str(number))))
    assert worker.verified == {}


def test_a_forged_token_that_comes_again_costs_no_signature(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_REMEMBERED", 3)
    forged = [Signer.make("EdDSA", "k1").token(claims(AUDIENCE)) for _ in range(4)]
    assert all(worker.refuses(token) for token in [*forged, *forged[1:]])
    assert worker.signatures == 4
    assert worker.refuses(forged[0]), "the oldest is forgotten"
    assert worker.signatures == 5


def test_a_token_is_taken_when_the_key_that_signed_it_comes(worker: Worker) -> None:
    """Two keys of one id: what was forged under the old is good under the new."""
    new = Signer.make("EdDSA", "k1")
    token = new.token(claims(AUDIENCE))
    assert worker.refuses(token)
    worker.take(row(new))
    assert not worker.refuses(token)


def test_no_signature_is_due_for_what_is_bad_without_it(worker: Worker) -> None:
    for said in ({"aud": "https://elsewhere.example"}, {"exp": 1}, {"iss": "https://nobody.example"}, {"sub": ""}):
        assert worker.refuses(ED.token({**claims(AUDIENCE), **said}))
    assert worker.signatures == 0


def test_an_unknown_key_is_told_apart_for_the_worker_alone(worker: Worker) -> None:
    with pytest.raises(KeyUnknown) as raised:
        worker.ask(Signer.make("EdDSA", "new").token(claims(AUDIENCE)))
    assert (raised.value.kind, raised.value.issuer) == (TOKEN_INVALID, "iss_1")


def test_a_shared_secret_opens_only_for_its_own_issuer(worker: Worker) -> None:
    secret = b64(bytes(32)).encode()
    sealed = sealed_for_workers(MAC, "iss_1", secret)
    token = hs256(secret, {"alg": "HS256", "typ": "at+jwt"}, claims(AUDIENCE))
    worker.take(row(keys=(), secret=sealed))
    assert not worker.refuses(token)
    other = hs256(secret, {"alg": "HS256", "typ": "at+jwt"}, claims(AUDIENCE, jti="another"))
    worker.take(row(keys=(), secret=sealed, id="iss_2"))
    assert worker.refuses(other)
