"""`completion`: the script that makes a shell complete our commands and options."""

import click
from click.shell_completion import get_completion_class

from mcp_platform.cli.exit_codes import ExitCode
from mcp_platform.cli.output import Output
from mcp_platform.cli.page import Page

VARIABLE = "_MCP_PLATFORM_COMPLETE"


@click.command(
    cls=Page,
    examples=[
        'eval "$(mcp-platform completion bash)"    # in ~/.bashrc; zsh: in ~/.zshrc',
        "mcp-platform completion fish > ~/.config/fish/completions/mcp-platform.fish",
    ],
    exits=(ExitCode.OK, ExitCode.USAGE),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--json", "as_json", is_flag=True, help="Exactly one JSON object on stdout, errors too.")
def completion(shell: str, *, as_json: bool) -> None:
    """Print the completion script of SHELL."""
    maker = get_completion_class(shell)
    assert maker is not None, "click knows the three shells"
    # Imported here by name because main imports this module only when it is called.
    root = click.get_current_context().find_root().command
    # `source()` of click's bash class asks a running bash for its version; the template is the same for all.
    script = maker.source_template % maker(root, {}, "mcp-platform", VARIABLE).source_vars()
    output = Output(as_json=as_json)
    output.result({"shell": shell, "script": script})
    output.line(script)
