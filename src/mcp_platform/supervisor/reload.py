"""What a changed configuration needs. Pure: old and new settings in, a plan out."""

import dataclasses
from dataclasses import dataclass

from mcp_platform.base.config import Settings

FIXED = (
    ("gateway", "host"),
    ("gateway", "port"),
    ("gateway", "tls_certificate"),
    ("gateway", "tls_key"),
    ("gateway", "workers"),
    ("console", "host"),
    ("console", "port"),
    ("console", "tls_certificate"),
    ("console", "tls_key"),
    ("http", "max_connections"),
    ("vault", "kek_file"),
)
"""What is built in once, before the first fork: sockets, shared memory, keys. Whether a listener speaks TLS is part of
the socket that all workers share; what stands in the files may change at any time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to come to the new settings."""

    settings: Settings
    """The new ones, with the old value of each that a reload cannot change."""
    changed: frozenset[str]
    """Topics that differ; a role that reads one of them is replaced."""
    needs_restart: tuple[str, ...]
    """Settings that take effect at the next start."""


def plan(old: Settings, new: Settings) -> Plan:
    needs_restart = []
    for topic, name in FIXED:
        before = getattr(getattr(old, topic), name)
        if getattr(getattr(new, topic), name) != before:
            needs_restart.append(f"{topic}.{name}")
            kept = dataclasses.replace(getattr(new, topic), **{name: before})
            new = dataclasses.replace(new, **{topic: kept})
    topics = [field.name for field in dataclasses.fields(Settings)]
    changed = frozenset(topic for topic in topics if getattr(old, topic) != getattr(new, topic))
    return Plan(settings=new, changed=changed, needs_restart=tuple(needs_restart))
