"""How a command explains itself: what it does, examples that can be pasted, options, exit codes."""

from collections.abc import Sequence
from typing import Any

import click

from mcp_platform.cli.exit_codes import MEANING, ExitCode

_USUAL = (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.REFUSED, ExitCode.CONFIGURATION)


class Page(click.Command):
    """A command whose --help ends with examples and exit codes."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401  # arguments of click
        examples: Sequence[str] = (),
        exits: Sequence[ExitCode] = _USUAL,
        **kwargs: Any,  # noqa: ANN401  # arguments of click
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.exits = tuple(exits)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(formatter, self.examples)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), MEANING[code].replace("`", "")) for code in self.exits])


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """Not wrapped: each must stay a line that can be pasted."""
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")
