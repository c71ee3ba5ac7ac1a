"""Where a list goes on: sealed, so that nobody reads or makes one, and bound to who asked and what was asked."""

import base64
import binascii
import hashlib
from collections.abc import Mapping

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.control.rest.errors import CURSOR_INVALID
from mcp_platform.features.vault.check import seal, unseal

MAX_CHARACTERS = 1024
"""Characters of a cursor. The longest has a server's and a tool's name."""


class Cursors:
    """Seals and opens them."""

    def __init__(self, data_key: bytes) -> None:
        self._key = hashlib.blake2b(b"", key=data_key, digest_size=32, person=b"mcpp rest cursor").digest()

    def make(self, after: object, actor: str, question: Mapping[str, object], route: str) -> str:
        sealed = seal(self._key, msgspec.json.encode(after), _about(actor, question, route))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def read(self, cursor: str, actor: str, question: Mapping[str, object], route: str) -> object:
        """The action's `after`. Raises Fault(cursor_invalid)."""
        if len(cursor) > MAX_CHARACTERS:
            raise Fault(CURSOR_INVALID)
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            opened: object = msgspec.json.decode(unseal(self._key, sealed, _about(actor, question, route)))
        except (Fault, binascii.Error, ValueError):
            raise Fault(CURSOR_INVALID) from None
        return opened


def _about(actor: str, question: Mapping[str, object], route: str) -> bytes:
    return msgspec.json.encode(["rest cursor", actor, route, sorted(question.items())])
