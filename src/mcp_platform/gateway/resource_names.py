"""Resources under the names that callers know, in what a server answers.

Only where a server's resource has another name here, because an earlier server has its URI; else answers pass
verbatim.
"""

from typing import Any

import msgspec

from mcp_platform.gateway.active import Rewrite
from mcp_platform.gateway.endpoint import Endpoint
from mcp_platform.gateway.item import RESOURCE, Item
from mcp_platform.net.transports.model import Answer

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_text = msgspec.json.Decoder(str)


def as_callers_say(endpoint: Endpoint, item: Item) -> Rewrite | None:
    """What puts the names of `endpoint` into answers of the item's server; None where none differs."""
    renamed = endpoint.renamed_of(item.upstream.id)
    if item.kind == RESOURCE and item.name != item.exposed:
        renamed = {**renamed, item.name: item.exposed}
    if not renamed:
        return None
    return lambda answer: _renamed(answer, renamed)


def _renamed(answer: Answer, renamed: dict[str, str]) -> Answer:
    if answer.result is None:
        return answer
    try:
        members = _members.decode(answer.result)
        changed = False
        for place in ("contents", "content"):
            if place in members:
                parts = _list.decode(members[place])
                if any([_rename(part, renamed) for part in parts]):
                    members[place] = msgspec.Raw(_encode(parts))
                    changed = True
    except (msgspec.MsgspecError, ValueError):
        return answer  # what is no result of this form names no resource
    return msgspec.structs.replace(answer, result=_encode(members)) if changed else answer


def _rename(part: dict[str, Any], renamed: dict[str, str]) -> bool:
    """Rename in a content block: a link's or a content's own `uri`, or that of an embedded `resource`."""
    if "resource" in part:
        inner = _members.decode(part["resource"])
        if _rename(inner, renamed):
            part["resource"] = msgspec.Raw(_encode(inner))
            return True
        return False
    if "uri" not in part:
        return False
    exposed = renamed.get(_text.decode(part["uri"]))
    if exposed is None:
        return False
    part["uri"] = msgspec.Raw(_encode(exposed))
    return True
