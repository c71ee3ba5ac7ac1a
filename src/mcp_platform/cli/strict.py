"""`--strict`, for commands that name servers and tools in patterns: a slip is refused, not only warned of."""

import click

strict_option = click.option(
    "--strict", is_flag=True, help="Refuse what names a server or tool that is not there, instead of warning of it."
)
