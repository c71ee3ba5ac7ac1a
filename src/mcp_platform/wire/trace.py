"""W3C trace context in `_meta` (2026-07-28, basic, trace context): read, and continued as a child span. Pure."""

import random
import re

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_NONE = "0" * 32


def trace_of(traceparent: object) -> str | None:
    """The trace id in a `traceparent`; None where it is none (W3C Trace Context §3.2)."""
    found = _TRACEPARENT.fullmatch(traceparent) if isinstance(traceparent, str) else None
    return found[2] if found and found[1] != "ff" and found[2] != _NONE and found[3] != "0" * 16 else None


def child(traceparent: str) -> str | None:
    """A `traceparent` for what we send on: the same trace and flags, a span of our own; None where `traceparent` is
    none."""
    trace = trace_of(traceparent)
    if trace is None:
        return None
    return f"00-{trace}-{random.getrandbits(64) or 1:016x}-{traceparent[53:55]}"  # unique, and no secret
