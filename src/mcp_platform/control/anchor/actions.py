"""Anchoring when somebody asks for it."""

from typing import Any, Protocol

import msgspec

from mcp_platform.base.config.anchor_place import Place, PlaceError, parse_place
from mcp_platform.base.errors import Fault
from mcp_platform.control.anchor.errors import ANCHOR_PLACE_FORBIDDEN, ANCHOR_PLACE_INVALID
from mcp_platform.store.action import Action, Change, Context
from mcp_platform.store.permission import Permission
from mcp_platform.store.tag import Tag
from mcp_platform.store.unit import Unit

MAX_PLACES = 8


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to, instead of the configured places."""

    places: list[str] | None = None


class Reach(Protocol):
    """What the action is given of the world outside."""

    @property
    def anchors(self) -> Any:  # noqa: ANN401  # control's Anchors, whose module needs the network
        ...


def prepare(unit: Unit, params: Anchor, context: Context) -> list[Place]:
    if params.places and context.actor.kind != "local":
        # Else whoever may anchor could write files as the platform's user, and reach what only this machine reaches.
        raise Fault(ANCHOR_PLACE_FORBIDDEN)
    if len(params.places or ()) > MAX_PLACES:
        raise Fault(ANCHOR_PLACE_INVALID, f"At most {MAX_PLACES} places at once.")
    try:
        return [parse_place(text) for text in params.places or ()]
    except PlaceError as error:
        raise Fault(ANCHOR_PLACE_INVALID) from error


async def look(places: list[Place], reach: Reach) -> dict[str, object]:
    found: dict[str, object] = await reach.anchors.now(places)
    return found


def anchor(unit: Unit, params: Anchor, context: Context) -> Change:
    return Change(result=context.found, target=str(context.found["number"]))


ACTIONS = (
    Action(
        name="audit.anchor",
        permission=Permission.AUDIT_RECORD_ANCHOR,
        audit=Tag.AUDIT_RECORD_ANCHOR,
        params=Anchor,
        gather=prepare,
        look=look,
        looking="Taking the newest checkpoint there",
        run=anchor,
        records=("places",),
        summary="Takes the newest signed checkpoint to the configured places, or to others.",
        reads=True,
    ),
)
