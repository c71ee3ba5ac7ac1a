"""Who asks over REST: the holder of an admin token, nobody else. Cookies and API keys of agents are not looked at."""

from mcp_platform.base.errors import ErrorKind, Fault
from mcp_platform.control.execute import Executor
from mcp_platform.control.rest.tries import FailedTries
from mcp_platform.features.apikeys.check import PREFIX as AGENTS_PREFIX
from mcp_platform.features.tokens.check import parse
from mcp_platform.features.tokens.errors import ADMIN_TOKEN_INVALID, ADMIN_TOKEN_MISSING
from mcp_platform.features.tokens.tables import holder_of
from mcp_platform.store.action import Actor

_AN_AGENTS = "API keys are for agents, on their own surface; here an admin token is taken: `mcp-platform token create`."


class Bearers:
    """Judges the Authorization header."""

    def __init__(self, executor: Executor, data_key: bytes, tries: FailedTries) -> None:
        self._executor = executor
        self._data_key = data_key
        self._tries = tries

    def early(self, headers: dict[str, str], address: str) -> Fault | None:
        """What can be said before the body is read and without the database."""
        sent = headers.get("authorization")
        if sent is None:
            return self._tries.note(address, ADMIN_TOKEN_MISSING)
        token = _token(sent)
        if parse(token) is not None:
            return None
        fault = self._tries.note(address, ADMIN_TOKEN_INVALID)
        if fault.kind is ADMIN_TOKEN_INVALID and token.startswith(AGENTS_PREFIX):
            fault.detail = _AN_AGENTS
        return fault

    async def actor(self, headers: dict[str, str], address: str) -> Actor:
        """Raises Fault(admin_token_*)."""
        token = _token(headers.get("authorization", ""))
        wrong: ErrorKind
        try:
            holder = await self._executor.read(lambda unit: holder_of(unit, self._data_key, token))
        except Fault as fault:
            if fault.kind.http != 401:
                raise  # the database failed: nobody's try
            wrong = fault.kind
        else:
            name = f"token:{holder.id}"
            return Actor("token", name, holder.permissions, agent=holder.agent, address=address or None)
        raise self._tries.note(address, wrong)


def _token(header: str) -> str:
    """What follows the scheme; empty where it is not Bearer."""
    scheme, _, token = header.partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""
