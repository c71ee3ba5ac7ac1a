"""What every command is given: the data folder, a voice, and the way to control; and the options that choose them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from mcp_platform.base import clock
from mcp_platform.base.folder import DataFolder
from mcp_platform.cli import door
from mcp_platform.cli.output import Output

DEFAULT_DATA = "./mcp-platform-data"

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Session:
    """One run of one command."""

    data: DataFolder
    out: Output

    def ask(self, action: str, *, silence_s: float = door.SILENCE_S, **params: object) -> dict[str, Any]:
        """The result of control's `action`; parameters that are None are not sent. What it warns of is said at once.
        Raises Fault."""
        given = {name: value for name, value in params.items() if value is not None}
        said = door.ask(self.data, action, given, self.out.progress, silence_s=silence_s)
        answer: dict[str, Any] = readable_times(said)
        for warning in answer.get("warnings", ()):
            self.out.warning(str(warning))
        return answer


def readable_times(answer: Any) -> Any:  # noqa: ANN401  # any JSON
    """`answer` with the moments in it (`…_at`, `not_after`: epoch seconds) as RFC 3339."""
    if isinstance(answer, list):
        return [readable_times(item) for item in answer]
    if not isinstance(answer, dict):
        return answer
    return {
        name: clock.rfc3339(value)
        if name.endswith(("_at", "not_after")) and isinstance(value, float)
        else readable_times(value)
        for name, value in answer.items()
    }


def with_session(function: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Give `function` a Session made from --data, --json and --quiet, which it adds."""

    @click.option(
        "--data",
        metavar="DIR",
        envvar="MCP_PLATFORM_DATA",
        default=DEFAULT_DATA,
        show_default=True,
        show_envvar=True,
        help="The data folder.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Exactly one JSON object on stdout, errors too.")
    @click.option("--quiet", "-q", is_flag=True, help="No progress and no advice.")
    @wraps(function)
    def run(*args: Any, data: str, as_json: bool, quiet: bool, **kwargs: Any) -> R:  # noqa: ANN401  # arguments of click
        session = Session(DataFolder(Path(data).absolute()), Output(as_json=as_json, quiet=quiet))
        return function(session, *args, **kwargs)

    return run  # type: ignore[return-value]  # click hands the three options in by keyword
