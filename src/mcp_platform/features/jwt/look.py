"""A look at an issuer's key set where it is published. Stores nothing."""

from dataclasses import dataclass
from typing import Protocol

from mcp_platform.features.jwt.keys import KeySet, read
from mcp_platform.features.jwt.model import IssuerRow
from mcp_platform.features.jwt.tables import Policy


class Fetches(Protocol):
    """The way to key sets outside."""

    async def fetch_keys(self, url: str, authority: str | None) -> bytes:
        """The document at `url`; `authority` (PEM) vouches for its server instead of the system's. Raises
        Fault(issuer_keys_unreachable)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an issuer's keys come from, and what they must fit."""

    policy: Policy
    url: str | None
    authority: str | None
    given: bytes | None
    """The document itself, where there is no URL."""
    row: IssuerRow | None = None
    """The issuer as workers know it, where it is stored already."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A place, and the document that was there; None for an issuer with a shared secret."""

    place: Place
    document: bytes | None

    def read(self) -> KeySet:
        """Raises Fault(issuer_keys_invalid)."""
        return KeySet((), (), ()) if self.document is None else read(self.document, self.place.policy.algorithms)


async def look(place: Place, reach: Fetches) -> Looked:
    if place.url is None:
        return Looked(place, place.given)
    return Looked(place, await reach.fetch_keys(place.url, place.authority))
