"""What a server declares that it can do, read once for each spelling. Pure."""

from functools import lru_cache
from typing import Any

import msgspec


class Declared(msgspec.Struct, frozen=True):
    """ServerCapabilities, as far as they decide anything here."""

    prompts: dict[str, Any] | None = None
    resources: dict[str, Any] | None = None
    completions: dict[str, Any] | None = None
    logging: dict[str, Any] | None = None
    extensions: dict[str, Any] = {}

    @property
    def subscribe(self) -> bool:
        """Whether it tells of changed resources."""
        return self.resources is not None and self.resources.get("subscribe") is True


@lru_cache(maxsize=1024)
def declared(capabilities: bytes) -> Declared | None:
    """None where they cannot be read."""
    try:
        return msgspec.json.decode(capabilities, type=Declared)
    except (msgspec.MsgspecError, ValueError):
        return None
