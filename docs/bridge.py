"""Lines of docs/reference/bridge.md: what each client can do at each server, from the table that tests hold us to."""

import runpy
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

Table = Callable[[Sequence[str], Iterable[Sequence[str]]], list[str]]
SOURCE = Path(__file__).parents[1] / "tests" / "journeys" / "bridge" / "table.py"
PASSES, NOT_OFFERED = "yes", ""


def lines(table: Table) -> list[str]:
    known = runpy.run_path(str(SOURCE))
    clients, servers, features = known["CLIENTS"].values(), known["SERVERS"].values(), known["FEATURES"]
    found = [
        "# The bridge: clients, servers and features",
        "",
        "Official clients of either era in front of real servers of either era, through one platform. Each cell is "
        "tried by `./dev test --all tests/journeys/bridge`, which fails where one does not do what this page says. "
        "[How the eras meet](../explanation/eras.md).",
        "",
        *table(["Client", "Is", "Revision"], [[f"`{each.name}`", each.what, ERAS[each.era]] for each in clients]),
        "",
        *table(
            ["Server", "Is", "Transport", "Revision"],
            [[f"`{each.name}`", each.what, TRANSPORTS[each.transport], ERAS[each.era]] for each in servers],
        ),
        "",
        *table(["Feature", "What is tried"], features.items()),
    ]
    for names, rows in _grouped(clients, servers, features):
        found += ["", f"## {names}", "", "*yes*: it works. Empty: the server does not offer it.", ""]
        heads = [feature for feature in features if any(row[feature] != NOT_OFFERED for row in rows.values())]
        found += table(
            ["Server", *heads], [[f"`{server}`", *(row[head] for head in heads)] for server, row in rows.items()]
        )
    return [*found, "", "## What is not tried", "", *_remarks(known)]


ERAS = {"legacy": "2025-11-25", "modern": "2026-07-28"}
TRANSPORTS = {"stdio": "stdio", "http": "streamable HTTP", "sse": "HTTP+SSE"}
Rows = dict[str, dict[str, str]]


def _grouped(
    clients: Iterable[Any],
    servers: Iterable[Any],
    features: Iterable[str],
) -> list[tuple[str, Rows]]:
    """Clients that can do the same stand in one table; a feature that a client lacks is in no row of its."""
    groups: list[tuple[list[str], Rows]] = []
    for client in clients:
        rows: Rows = {server.name: {name: _cell(client, server, name) for name in features} for server in servers}
        same = next((names for names, others in groups if others == rows), None)
        if same is None:
            groups.append(([client.name], rows))
        else:
            same.append(client.name)
    return [(", ".join(f"`{name}`" for name in names), rows) for names, rows in groups]


def _cell(
    client: Any,  # noqa: ANN401  # its class is in a file that is run by path
    server: Any,  # noqa: ANN401  # so is this one's
    feature: str,
) -> str:
    if feature not in server.trials or feature not in client.can:
        return NOT_OFFERED
    return PASSES


def _remarks(known: dict[str, Any]) -> list[str]:
    return [
        f"`{client.name}` is not tried with {', '.join(client.lacks)}. {client.why}"
        for client in known["CLIENTS"].values()
        if client.lacks
    ]
