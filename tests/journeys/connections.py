"""TCP connections to a local port by what the kernel says of both their ends (IPv4)."""

from pathlib import Path

ESTABLISHED = "01"


def rows(port: int) -> dict[tuple[bool, int], tuple[str, str]]:
    """State and inode of each end of each connection to `port`, by (is the server's end, the client's port)."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, ours, theirs, state, *rest = line.split()
        here, there = int(ours[-4:], 16), int(theirs[-4:], 16)
        if here == port and there:
            found[True, there] = state, rest[5]
        elif there == port:
            found[False, here] = state, rest[5]
    return found


def half_dead(port: int) -> list[int]:
    """Ports of the clients that take their connection to `port` for alive, and nobody holds its other end any more."""
    ends = rows(port)
    alive = [client for (is_server, client), (state, _) in ends.items() if not is_server and state == ESTABLISHED]
    return [client for client in alive if ends.get((True, client), ("", ""))[0] != ESTABLISHED]
