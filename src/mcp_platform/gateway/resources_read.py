"""resources/read: whose resource it is, then the call under the server's own URI."""

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import calls
from mcp_platform.gateway.errors import RESOURCE_UNKNOWN, RESOURCE_UNKNOWN_LEGACY
from mcp_platform.gateway.item import Item
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.resource_names import as_callers_say
from mcp_platform.gateway.resume import is_retry, resume
from mcp_platform.wire.errors import INVALID_PARAMS

MAX_URI_CHARACTERS = 2048
"""Characters of a URI that is asked for: what browsers and proxies agree to take, and what a record holds."""
_encode = msgspec.json.Encoder().encode


async def read_resource(request: Request) -> None:
    """Answer one resources/read. Raises Fault before anything was sent upstream; later failures go to the outlet."""
    item = resolve(request)
    if is_retry(request):
        await resume(request, item, lambda extra: _send(request, item, extra))
    else:
        await _send(request, item, {})


def resolve(request: Request) -> Item:
    """The resource that the request's `uri` names, if its caller may read it. Raises Fault(params_invalid,
    resource_unknown)."""
    uri = request.params.get("uri")
    if not isinstance(uri, str) or len(uri) > MAX_URI_CHARACTERS:
        raise Fault(INVALID_PARAMS, f"`uri` must be the URI of a resource, of at most {MAX_URI_CHARACTERS} characters.")
    item = request.endpoint.resource(uri, request.identity.allowed)
    if item is None:
        raise unknown(request, uri)
    return item


def unknown(request: Request, uri: str) -> Fault:
    """No such resource, as the client's revision says it; 2026-07-28 wants the URI back that was asked for."""
    return Fault(RESOURCE_UNKNOWN if request.modern else RESOURCE_UNKNOWN_LEGACY, data={"uri": uri})


async def _send(request: Request, item: Item, extra: calls.Params) -> None:
    await calls.send(
        request,
        item,
        {"uri": msgspec.Raw(_encode(item.name)), **extra},
        arguments=_encode({"uri": item.name}),
        name=item.name,
        rewrite=as_callers_say(request.endpoint, item),
    )
