"""What a client watches beside its lists, under the name that it knows: a resource, or a task of its own."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from mcp_platform.features.rbac.check import Allowed
from mcp_platform.gateway.endpoint import Endpoint, with_server
from mcp_platform.gateway.item import Item
from mcp_platform.gateway.topics import task_topic, uri_topic
from mcp_platform.net.transports.offers import TASK, UPDATED


class Watched(Protocol):
    """One thing that is watched."""

    method: ClassVar[str]
    """The notification that brings its news."""
    member: ClassVar[str]
    """Where that names the thing."""

    @property
    def name(self) -> str: ...

    @property
    def item(self) -> Item: ...

    @property
    def topic(self) -> str: ...

    def is_there(self, endpoint: Endpoint, allowed: Allowed) -> bool:
        """Whether whoever may use what `allowed` says may hear of it still."""

    def shown(self, own: str) -> str:
        """What the client calls the thing that the server calls `own`."""


@dataclass(frozen=True, slots=True)
class WatchedResource:
    """A resource, and all below it."""

    method: ClassVar[str] = UPDATED
    member: ClassVar[str] = "uri"
    name: str
    """The URI by which the client asked for it."""
    item: Item

    @property
    def topic(self) -> str:
        return uri_topic(self.item.name)

    def is_there(self, endpoint: Endpoint, allowed: Allowed) -> bool:
        found = endpoint.resource(self.name, allowed)
        return found is not None and (found.upstream.id, found.name) == (self.item.upstream.id, self.item.name)

    def shown(self, own: str) -> str:
        if own == self.item.name:
            return self.name
        return own if self.name == self.item.name else with_server(self.item.server, own)


@dataclass(frozen=True, slots=True)
class WatchedTask:
    """A task that a call of this tool became."""

    method: ClassVar[str] = TASK
    member: ClassVar[str] = "taskId"
    name: str
    """The sealed id."""
    item: Item
    """The tool."""
    own: str
    """The server's id."""

    @property
    def topic(self) -> str:
        return task_topic(self.own)

    def is_there(self, endpoint: Endpoint, allowed: Allowed) -> bool:
        found = endpoint.tool(self.item.exposed, allowed)
        return found is not None and found.upstream.id == self.item.upstream.id

    def shown(self, own: str) -> str:
        return self.name
