"""The options that say where the platform listens: the same for `init`, which keeps them, and `serve`, which only
uses them."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click

P = ParamSpec("P")
R = TypeVar("R")
_PORT = click.IntRange(0, 65535)


def surface_options(function: Callable[P, R]) -> Callable[P, R]:
    """Add --host, --port, --console-port and --public-url; `function` gets them as `flags`, by setting."""

    @click.option("--host", metavar="ADDRESS", help="Address of the agents' surface. [default: 127.0.0.1]")
    @click.option("--port", type=_PORT, metavar="PORT", help="Port of the agents' surface. [default: 8080]")
    @click.option("--console-port", type=_PORT, metavar="PORT", help="Port of the people's surface. [default: 8081]")
    @click.option("--public-url", metavar="URL", help="How agents reach the platform from outside.")
    @click.option(
        "--behind-tls-proxy",
        is_flag=True,
        help="A proxy in front speaks TLS. Warning: this allows keys to travel in the clear between it and here.",
    )
    @wraps(function)
    def run(
        *args: Any,  # noqa: ANN401  # arguments of click
        host: str | None,
        port: int | None,
        console_port: int | None,
        public_url: str | None,
        behind_tls_proxy: bool,
        **kwargs: Any,  # noqa: ANN401  # arguments of click
    ) -> R:
        flags = {
            "gateway.host": host,
            "gateway.port": port,
            "gateway.public_url": public_url,
            "console.port": console_port,
            "tls.terminated_by_proxy": True if behind_tls_proxy else None,
        }
        return function(*args, flags=flags, **kwargs)  # type: ignore[arg-type]  # the decorated function takes flags

    return run  # type: ignore[return-value]  # click hands the options in by keyword
