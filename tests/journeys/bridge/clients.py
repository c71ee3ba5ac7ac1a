"""How the clients of the table are started."""

from collections.abc import Callable

from tests.journeys.clients import CLIENTS
from tests.peers.environments import node, python_of

PROGRAMS: dict[str, Callable[[], list[str]]] = {
    "python-1.30": lambda: [str(python_of("mcp1")), str(CLIENTS / "features_python_1.py")],
    "python-2.3": lambda: [str(python_of("mcp2")), str(CLIENTS / "features_python_2.py")],
    "typescript-1.32": lambda: [str(node()), str(CLIENTS / "features_typescript_1.mjs")],
    "typescript-2.4": lambda: [str(node()), str(CLIENTS / "features_typescript_2.mjs")],
}
