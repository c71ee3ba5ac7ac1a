"""Questions that legacy clients were asked on their streams and have not answered yet.

The id of a question names the worker where it waits, so that the answer, which comes as a request of its own and may
reach any worker, finds it. An answer counts only from the session that was asked.
"""

import asyncio
import re

from mcp_platform.base import ids
from mcp_platform.base.errors import Fault
from mcp_platform.gateway.errors import RESPONSE_UNEXPECTED
from mcp_platform.net.transports.model import Answer

_FORM = re.compile(r"mcpp-([0-9]{1,4})-[0-9A-Za-z]{16}", re.ASCII)


class Asked:
    """The open questions of one worker."""

    def __init__(self, slot: int) -> None:
        self._slot = slot
        self._open: dict[str, tuple[bytes, asyncio.Future[Answer]]] = {}

    def ask(self, session: bytes, answer: "asyncio.Future[Answer]") -> str:
        """The id under which `session` (its mark) is asked."""
        identity = f"mcpp-{self._slot}-{ids.random_text(16)}"
        self._open[identity] = (session, answer)
        answer.add_done_callback(lambda _: self._open.pop(identity, None))
        return identity

    def give(self, identity: str | int | None, session: bytes, answer: Answer) -> None:
        """Raises Fault(response_unexpected)."""
        asked, future = self._open.get(str(identity), (b"", None))
        if future is None or future.done() or asked != session:
            raise Fault(RESPONSE_UNEXPECTED)
        future.set_result(answer)


def slot_of(identity: str | int | None) -> int | None:
    """The worker where a question waits, or None where the id is not one of ours."""
    found = _FORM.fullmatch(str(identity))
    return int(found[1]) if found else None
