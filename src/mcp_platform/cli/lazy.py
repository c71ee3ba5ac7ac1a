"""Groups that import a command only when it is called or asked for its help."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click

from mcp_platform.cli.page import write_examples


class Entry(NamedTuple):
    """Where a command stands, and its one line in the group's help."""

    module: str
    """Below mcp_platform.cli.commands."""
    attribute: str
    says: str


class LazyGroup(click.Group):
    """A group that knows its commands by name only."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401  # arguments of click
        entries: Mapping[str, Entry],
        examples: Sequence[str] = (),
        **kwargs: Any,  # noqa: ANN401  # arguments of click
    ) -> None:
        super().__init__(*args, **kwargs)
        self.entries = dict(entries)
        self.examples = tuple(examples)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(import_module(f"mcp_platform.cli.commands.{entry.module}"), entry.attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.says) for name, entry in self.entries.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(formatter, self.examples)
        super().format_epilog(ctx, formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.entries and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.NoSuchCommand(args[0], possibilities=self.entries, ctx=ctx)
        return super().resolve_command(ctx, args)
