"""completion/complete: values for an argument of a prompt or of a resource template, from the server whose it is."""

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.gateway import answers, calls, record
from mcp_platform.gateway.declared import declared
from mcp_platform.gateway.errors import PROMPT_UNKNOWN
from mcp_platform.gateway.item import Item
from mcp_platform.gateway.request import Request
from mcp_platform.gateway.resources_read import unknown
from mcp_platform.wire.errors import INVALID_PARAMS

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NONE = {"completion": {"values": [], "total": 0, "hasMore": False}}


async def complete(request: Request) -> None:
    """Answer one completion/complete. Raises Fault before anything was sent upstream."""
    ref = request.params.get("ref")
    if not isinstance(ref, dict) or not isinstance(request.params.get("argument"), dict):
        raise Fault(INVALID_PARAMS, "`ref` must name a prompt or a resource template, and `argument` be an object.")
    item, member = _resolve(request, ref)
    seen = declared(item.upstream.capabilities)
    if seen is None or seen.completions is None:
        # Other servers behind this endpoint complete, so the method is there; this one knows no values.
        record.answered(request.world, request.exchange, request.identity, request.message.method, request.session)
        request.outlet().result(answers.complete(_NONE, modern=request.modern))
        return
    own = _members.decode(request.message.raw["ref"])
    own[member] = msgspec.Raw(_encode(item.name))
    await calls.send(
        request,
        item,
        {"ref": msgspec.Raw(_encode(own))},
        arguments=bytes(request.message.raw["argument"]),
    )


def _resolve(request: Request, ref: dict[str, object]) -> tuple[Item, str]:
    """What `ref` names, and by which member. Raises Fault(params_invalid, prompt_unknown, resource_unknown)."""
    kind, allowed = ref.get("type"), request.identity.allowed
    name, uri = ref.get("name"), ref.get("uri")
    if kind == "ref/prompt" and isinstance(name, str):
        item = request.endpoint.prompt(name, allowed)
        if item is None:
            raise Fault(PROMPT_UNKNOWN)
        return item, "name"
    if kind == "ref/resource" and isinstance(uri, str):
        item = request.endpoint.template(uri, allowed) or request.endpoint.resource(uri, allowed)
        if item is None:
            raise unknown(request, uri)
        return item, "uri"
    raise Fault(INVALID_PARAMS, "`ref` must be a ref/prompt with a `name` or a ref/resource with a `uri`.")
