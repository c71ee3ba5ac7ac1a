"""What of a listener's wishes a legacy server can fulfil, told from the capabilities of its `initialize`. Pure."""

import msgspec

from mcp_platform.net.transports.model import Wanted

TOOLS = "notifications/tools/list_changed"
PROMPTS = "notifications/prompts/list_changed"
RESOURCES = "notifications/resources/list_changed"
UPDATED = "notifications/resources/updated"
TASK = "notifications/tasks"
"""How a task stands now (extension io.modelcontextprotocol/tasks of 2026-07-28)."""
KINDS = ("tools", "prompts", "resources")
"""Lists of which a change is announced; resources stand for their templates too."""
LIST_CHANGES = dict(zip((TOOLS, PROMPTS, RESOURCES), KINDS, strict=True))
"""The notification → the kind of list that changed."""
EVERY_LIST = Wanted(tools=True, prompts=True, resources=True)
CHANGES = frozenset({*LIST_CHANGES, UPDATED, TASK})
ELICITED = "notifications/elicitation/complete"
"""A person finished what a URL led to (2025-11-25). It belongs to no request."""


class _Part(msgspec.Struct):
    listChanged: bool = False
    subscribe: bool = False


class _Capabilities(msgspec.Struct):
    tools: _Part | None = None
    prompts: _Part | None = None
    resources: _Part | None = None
    logging: dict[str, msgspec.Raw] | None = None


class Offers(msgspec.Struct, frozen=True):
    """Which notifications a server sends, and whether its log level can be set."""

    tools: bool = False
    prompts: bool = False
    resources: bool = False
    subscribe: bool = False
    logging: bool = False

    def of(self, wanted: Wanted) -> Wanted:
        """The part of `wanted` that the server can tell; no legacy server has tasks of the extension."""
        return Wanted(
            tools=wanted.tools and self.tools,
            prompts=wanted.prompts and self.prompts,
            resources=wanted.resources and self.resources,
            uris=wanted.uris if self.subscribe else frozenset(),
        )


_NOTHING = _Part()


def of_capabilities(capabilities: bytes) -> Offers:
    """What cannot be read offers nothing: a server that is understood half is not asked for more."""
    try:
        seen = msgspec.json.decode(capabilities, type=_Capabilities)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Offers()
    resources = seen.resources or _NOTHING
    return Offers(
        tools=(seen.tools or _NOTHING).listChanged,
        prompts=(seen.prompts or _NOTHING).listChanged,
        resources=resources.listChanged,
        subscribe=resources.subscribe,
        logging=seen.logging is not None,
    )


def is_heard(wanted: Wanted, method: str, subject: str) -> bool:
    """Whether a listener wants this notification, which is about `subject` (see `subject_of`)."""
    if method == UPDATED:
        return any(uri in wanted.uris for uri in watched_as(subject))
    if method == TASK:
        return subject in wanted.task_ids
    return (
        (method == TOOLS and wanted.tools)
        or (method == PROMPTS and wanted.prompts)
        or (method == RESOURCES and wanted.resources)
    )


_MAX_LEVELS = 64
"""Levels of a URI that are looked at: deeper ones are not what anybody subscribed to."""


def watched_as(uri: str) -> list[str]:
    """The URIs under which a change of `uri` is waited for: itself and those it lies below, as 2025-11-25 lets a server
    name the part that changed. Cut at `/`, `?` and `#`, with and without a closing slash."""
    cuts = [at for at, character in enumerate(uri) if character in "/?#"][-_MAX_LEVELS:]
    return list(dict.fromkeys([uri, *(uri[:at] for at in cuts), *(uri[: at + 1] for at in cuts if uri[at] == "/")]))


class _Subject(msgspec.Struct):
    uri: str | None = None
    taskId: str | None = None


_subject = msgspec.json.Decoder(_Subject)


def subject_of(method: str, params: bytes) -> str | None:
    """The URI of an update or the id of a task, empty for other notifications; None where it is missing."""
    if method not in (UPDATED, TASK):
        return ""
    try:
        seen = _subject.decode(params)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return seen.uri if method == UPDATED else seen.taskId
