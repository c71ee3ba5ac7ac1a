"""What an action gave, as REST answers it: only what the route declares, moments as text. Pure."""

from typing import Any

import msgspec

from mcp_platform.base import clock
from mcp_platform.store.route import Route


def content(route: Route, result: dict[str, object]) -> bytes | None:
    """The body of an answer; None where the one thing asked for is not there. A list has no cursor yet."""
    if route.listing is not None:
        return msgspec.json.encode(_items(route, route.listing.items, result))
    if route.one is not None:
        found = _items(route, route.one, result)
        return msgspec.json.encode(found[0]) if found else None
    return msgspec.json.encode(_declared(route, result))


def page(items: bytes, cursor: str | None) -> bytes:
    """A list as it is sent: the things, and where it goes on."""
    return b'{"items":%b,"next":%b}' % (items, msgspec.json.encode(cursor))


def last(route: Route, result: dict[str, object]) -> object:
    """The `after` with which the list goes on; None where it ends."""
    assert route.listing is not None, "only lists go on"
    if route.listing.onward is not None:
        return result[route.listing.onward]
    listed = result[route.listing.items]
    assert isinstance(listed, list), "a list is a list"
    if not result.get("more") or not listed:
        return None
    values = [listed[-1][name] for name in route.listing.order]
    return values[0] if len(values) == 1 else values


def _items(route: Route, field: str, result: dict[str, object]) -> list[msgspec.Struct]:
    listed = result[field]
    assert isinstance(listed, list), "a list is a list"
    return [_declared(route, item) for item in listed]


def _declared(route: Route, shown: dict[str, object]) -> msgspec.Struct:
    return msgspec.convert(_readable(shown), type=route.answer)


def _readable(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """`value` with the moments in it (`…_at`, `not_after`: epoch seconds) as RFC 3339."""
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: clock.rfc3339(item)
        if name.endswith(("_at", "not_after")) and isinstance(item, float)
        else _readable(item)
        for name, item in value.items()
    }
