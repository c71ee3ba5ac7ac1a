"""JSON from outside: decoded once, with ceilings, and refused when two readers could understand it differently.

msgspec keeps the last of two equal names, as most parsers do; one that keeps the first would see another request than
the one we checked. So what is decoded is encoded again and compared: equal bytes cannot have had a duplicate.
"""

import json
import re
from itertools import accumulate
from typing import Any

import msgspec

from mcp_platform.base.errors import Fault
from mcp_platform.wire.errors import DUPLICATE_KEY, PARSE_ERROR, TOO_COMPLEX, TOO_DEEP

MAX_DEPTH = 128
"""Levels. Tool arguments nest under 20; msgspec itself stops near 1,000, and recursion elsewhere is cheaper to fear."""
MAX_CONTAINERS = 50_000
"""Arrays and objects in one message: 60 ms of the loop for 350,000 were measured, so 50,000 stay under 10."""
MAX_VALUES = 200_000
"""Elements and members in one message: about 10 ms."""
MAX_VALUES_SLOWLY = 50_000
"""The same where the slow comparison is needed (a Python call for each object)."""
_SMALL_BYTES = 4096
"""Bytes below which no count can pass the ceilings on containers and values."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def decode(body: bytes) -> Any:  # noqa: ANN401  # a JSON value is exactly that
    """The value of `body`. Raises Fault(json_*)."""
    if len(body) > _SMALL_BYTES or body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        _measure(body)
    try:
        value = _decode(body)
        again = _encode(value)
    except RecursionError:
        raise Fault(TOO_DEEP) from None
    except (msgspec.MsgspecError, ValueError):
        # UnicodeDecodeError is a ValueError; so is an integer with more digits than Python reads.
        raise Fault(PARSE_ERROR) from None
    if again != body and again != msgspec.json.format(body, indent=-1):
        _refuse_duplicates(body)
    return value


def one_line(body: bytes) -> bytes:
    """`body` (valid JSON) without insignificant white space, so that it can travel on a line of its own."""
    return msgspec.json.format(body, indent=-1) if b"\n" in body or b"\r" in body else body


def _measure(body: bytes) -> None:
    containers = body.count(b"[") + body.count(b"{")
    values = body.count(b",") + containers
    if containers <= MAX_DEPTH and values <= MAX_VALUES:
        return
    # Brackets and commas inside strings are not structure.
    bare = _STRING.sub(b"", body)
    containers = bare.count(b"[") + bare.count(b"{")
    if containers > MAX_CONTAINERS or bare.count(b",") + containers > MAX_VALUES:
        raise Fault(TOO_COMPLEX)
    brackets = bare.translate(None, _NOT_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise Fault(TOO_DEEP)


def _refuse_duplicates(body: bytes) -> None:
    """The slow comparison: white space, escapes or number spellings made the bytes differ; or a duplicate did."""
    if body.count(b",") > MAX_VALUES_SLOWLY and _STRING.sub(b"", body).count(b",") > MAX_VALUES_SLOWLY:
        raise Fault(TOO_COMPLEX)

    def unique(pairs: list[tuple[str, object]]) -> None:
        if len({name for name, _ in pairs}) != len(pairs):
            raise Fault(DUPLICATE_KEY)

    try:
        json.loads(body, object_pairs_hook=unique, parse_int=len, parse_float=len)
    except RecursionError:
        raise Fault(TOO_DEEP) from None
    except ValueError:
        raise Fault(PARSE_ERROR) from None
