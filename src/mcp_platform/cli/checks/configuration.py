"""The settings: right or not, and whether somebody else can change them."""

import stat
from collections.abc import Iterator

from mcp_platform.cli.checks.finding import Finding, Patient, fault, ok


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.loaded is None:
        yield fault(
            "config", "the configuration is not right", "Run `mcp-platform config check`: it lists every mistake."
        )
        return
    given = sum(origin.source != "default" for origin in patient.loaded.origins.values())
    yield ok("config", f"{given} of {len(patient.loaded.origins)} settings given, defaults elsewhere")
    file = patient.data.config_file
    if file.exists() and file.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield fault("config.file", f"others can write {file}", f"Run: chmod 600 {file}")
