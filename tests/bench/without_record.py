"""The platform with a journal that keeps nothing: what the record costs is the difference to it. For the bench alone;
no setting of the product can do this. Arguments: those of `mcp-platform`.
"""

import sys

from mcp_platform.cli.main import main
from mcp_platform.gateway import process
from mcp_platform.journal.calls import CallJournal


class NoTicket:
    """An intent that stands nowhere."""

    async def outcome(self, outcome: str, *, error: str = "", result: bytes = b"") -> None:
        """The answer may be released."""

    def note(self, outcome: str, *, error: str = "") -> None:
        """Nobody reads it."""


class NoJournal(CallJournal):
    """Takes everything and keeps nothing."""

    def __init__(self) -> None:
        """There is no writer."""

    async def intent(self, intent: object, arguments: bytes = b"") -> NoTicket:  # type: ignore[override]  # stands in
        return NoTicket()

    def answered(self, record: object) -> None:
        """Nobody reads it."""

    def refusal(self, refusal: object) -> None:
        """Nobody reads it."""

    async def close(self) -> None:
        """There is nothing to close."""


if __name__ == "__main__":
    process.start_calls = lambda *given: NoJournal()  # workers are forked from here
    sys.argv[0] = "mcp-platform"
    main()
