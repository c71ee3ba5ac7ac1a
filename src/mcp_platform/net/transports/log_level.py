"""The log level of one legacy session: the server is told when the session's owner wants another than before.

A session that principals share keeps the server's own level; what a caller does not want is left out further up.
"""

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.base.log import Log
from mcp_platform.net.transports.ears import Ask
from mcp_platform.net.transports.model import Call

SET_S = 5.0
"""Seconds a server may take; after that the call goes on without."""

_log = Log(__name__)


class LogLevel:
    """Belongs to one session of one owner, at a server that declares `logging`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._last = ""

    async def be(self, level: str) -> None:
        """Have the server log at `level`. A refusal is its own business and no reason to refuse the call."""
        if level == self._last:
            return
        self._last = level
        params = msgspec.json.encode({"level": level})
        try:
            await self._ask(Call(method="logging/setLevel", params=params, timeout_s=SET_S))
        except Fault as fault:
            _log.debug("log_level_not_set", code=fault.kind.code)
        except BaseException:
            self._last = ""  # the caller gave up before anybody knew
            raise
