"""What must hold before anything starts: a folder that is ours alone, a schema we know, enough file descriptors."""

import os
import resource
import stat

from mcp_platform.base import log
from mcp_platform.base.config import Settings
from mcp_platform.base.config.addresses import is_loopback
from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder, make_private
from mcp_platform.store import revisions
from mcp_platform.store.errors import SCHEMA_NEWER
from mcp_platform.supervisor.errors import DATA_FOLDER_UNUSABLE, NOT_INITIALISED

_log = log.Log("supervisor")

_SPARE_DESCRIPTORS = 4096
"""Beside one for every connection: upstream connections, pipes of stdio servers, journal segments."""


def check_folder(data: DataFolder) -> None:
    """Refuse a folder that is somebody else's or open to others; make those below it that we need."""
    try:
        found = data.root.stat()
    except OSError:
        raise Fault(NOT_INITIALISED, data={"folder": str(data.root)}) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Fault(DATA_FOLDER_UNUSABLE, data={"folder": str(data.root)})
    for folder in (data.run, data.snapshot, data.journal):
        make_private(folder)


def check_schema(revision: str) -> None:
    """Refuse a folder that a newer version has written."""
    if revision and revision not in revisions.known():
        raise Fault(SCHEMA_NEWER, data={"schema": revision})


def tell_what_is_clear(settings: Settings) -> None:
    """Whoever let keys travel in the clear is reminded of it at each start."""
    for name, surface in (("gateway", settings.gateway), ("console", settings.console)):
        if surface.tls_certificate is None and not is_loopback(surface.host):
            _log.warning("listens_in_the_clear", surface=name, host=surface.host, because="tls.terminated_by_proxy")


def raise_descriptor_limit(settings: Settings) -> None:
    """Let every process hold all the connections that the settings allow, as far as the hard limit goes."""
    wanted = settings.http.max_connections + settings.upstreams.max_connections + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < possible:
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    if possible < wanted:
        _log.warning("descriptor_limit_low", limit=possible, wanted=wanted)
