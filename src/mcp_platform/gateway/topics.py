"""What is listened for at an upstream, as names that can be counted: a kind of list, a resource, a task. Pure."""

from collections.abc import Iterable

from mcp_platform.net.transports.model import Wanted
from mcp_platform.net.transports.offers import KINDS

_URI = "uri:"
_TASK = "task:"


def uri_topic(uri: str) -> str:
    """Changes of the resource that the server calls so."""
    return _URI + uri


def task_topic(identity: str) -> str:
    """News of the task that the server calls so."""
    return _TASK + identity


def uri_of_topic(topic: str) -> str | None:
    """The server's own URI; None where it is no resource that is listened for."""
    return topic[len(_URI) :] if topic.startswith(_URI) else None


def wanted_of(topics: Iterable[str]) -> Wanted:
    """All of them, as the transports take it."""
    asked = frozenset(topics)
    return Wanted(
        uris=frozenset(topic[len(_URI) :] for topic in asked if topic.startswith(_URI)),
        task_ids=frozenset(topic[len(_TASK) :] for topic in asked if topic.startswith(_TASK)),
        **{kind: True for kind in KINDS if kind in asked},
    )


def is_honoured(topic: str, honoured: Wanted) -> bool:
    """Whether a server that agreed to tell so much tells of a resource or a task."""
    return wanted_of((topic,)).uris <= honoured.uris and wanted_of((topic,)).task_ids <= honoured.task_ids
