"""Questions that legacy clients were asked on their streams and have not answered yet.

The id of a question names the worker where it waits, so that the answer, which comes as a request of its own and may
reach any worker, finds it. An answer counts only from the session that was asked.
"""

import asyncio
import re

from mcp_platform.base import ids
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
        """To whoever waits for it. An answer may cross with the end of the call that was asked for: no client can help
        that, and some end their session over a refusal (Python 1.x), so what nobody waits for is dropped."""
        asked, future = self._open.get(str(identity), (b"", None))
        if future is not None and not future.done() and asked == session:
            future.set_result(answer)


def slot_of(identity: str | int | None) -> int | None:
    """The worker where a question waits, or None where the id is not one of ours."""
    found = _FORM.fullmatch(str(identity))
    return int(found[1]) if found else None
