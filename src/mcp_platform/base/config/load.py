"""The whole configuration from all its sources: flag > environment > secret files > file > default.

Either everything is right, or one Fault names every mistake at once; nothing starts on half a configuration.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mcp_platform.base.config.addresses import is_loopback
from mcp_platform.base.config.problems import Problem, fault
from mcp_platform.base.config.schema import all_settings, build, value_of
from mcp_platform.base.config.settings import Settings
from mcp_platform.base.config.sources import (
    Found,
    Origin,
    from_environment,
    from_file,
    from_flags,
    from_secret_files,
)

_DEFAULT = Origin("default", "")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and where each came from."""

    settings: Settings
    origins: Mapping[str, Origin]
    """By dotted name; every setting is here."""


def load(
    file: Path | None = None,
    *,
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """Read every source. `flags` go by dotted name, with None for those not given; `environment` is the process's
    own where it is None; a `file` that does not exist holds nothing. Raises Fault(configuration_invalid) whose
    data lists each problem."""
    variables = os.environ if environment is None else environment
    problems: list[Problem] = []
    layers: list[Found] = [
        from_file(file, problems) if file is not None else {},
        from_secret_files(variables, problems),
        from_environment(variables, problems),
        from_flags(flags or {}, problems),
    ]
    merged: Found = {}
    for layer in layers:
        merged.update(layer)
    origins = {name: merged[name].origin if name in merged else _DEFAULT for name in all_settings()}
    settings = build({name: given.value for name, given in merged.items()})
    wrong = {problem.setting for problem in problems}
    problems.extend(problem for problem in _disagreements(settings, origins) if not wrong & set(problem.between))
    if problems:
        raise fault(problems)
    return Loaded(settings, origins)


def _disagreements(settings: Settings, origins: Mapping[str, Origin]) -> list[Problem]:
    """What is wrong only when two settings are seen together."""
    found = []
    for low, high, why in (
        ("upstreams.call_timeout_s", "upstreams.max_call_s", "a call may not be silent longer than it may last"),
        ("snapshot.heartbeat_s", "snapshot.max_silence_s", "silence can only be noticed between two heartbeats"),
        ("http.max_connections_per_address", "http.max_connections", "one address is part of all"),
        ("http.max_request_line_bytes", "http.max_header_bytes", "the request line is the first of the header bytes"),
    ):
        small, large = value_of(settings, low), value_of(settings, high)
        assert isinstance(small, int | float), "these are numbers"
        assert isinstance(large, int | float), "these are numbers"
        if small > large:
            problem = f"`{low}` is larger than `{high}`: {why}"
            found.append(Problem(_place(low, high, origins), problem, setting=low, between=(low, high)))
    found += _unprotected(settings, origins)
    gateway, console = settings.gateway, settings.console
    if gateway.port == console.port != 0 and gateway.host == console.host:
        where = _place("console.port", "gateway.port", origins)
        problem = "`gateway.port` and `console.port` are the same; give each its own"
        found.append(Problem(where, problem, setting="console.port", between=("console.port", "gateway.port")))
    return found


def _unprotected(settings: Settings, origins: Mapping[str, Origin]) -> list[Problem]:
    """Half a certificate, and keys that would travel in the clear."""
    found = []
    for name, surface in (("gateway", settings.gateway), ("console", settings.console)):
        certificate, key, host = f"{name}.tls_certificate", f"{name}.tls_key", f"{name}.host"
        if (surface.tls_certificate is None) != (surface.tls_key is None):
            problem = f"`{certificate}` and `{key}` go together: give both or neither"
            found.append(Problem(_place(certificate, key, origins), problem, setting=key, between=(certificate, key)))
        elif surface.tls_certificate is None and not settings.tls.terminated_by_proxy and not is_loopback(surface.host):
            by_setting = (
                f"set `{certificate}` and `{key}`, or `tls.terminated_by_proxy` where a proxy in front speaks TLS"
            )
            by_flag = "give --behind-tls-proxy where a proxy in front speaks TLS, or --dev-tls to `init`; or "
            remedy = f"{by_flag if origins[host].source == 'flag' else ''}{by_setting}"
            problem = f"`{host}` is not loopback, and keys would travel in the clear: {remedy}"
            where = _place(host, certificate, origins)
            found.append(Problem(where, problem, setting=host, between=(host, certificate, "tls.terminated_by_proxy")))
    return found


def _place(name: str, other: str, origins: Mapping[str, Origin]) -> str:
    """The place of whichever of the two is not a default."""
    for candidate in (name, other):
        if origins[candidate].source != "default":
            return str(origins[candidate])
    return "default"
