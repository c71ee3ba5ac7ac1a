"""The command `mcp-platform`. Imports no more than a group's help needs: each command is imported when called."""

import os
import signal
import sys
from collections.abc import Sequence

import click

from mcp_platform import __version__
from mcp_platform.base.errors import Fault
from mcp_platform.cli.exit_codes import ExitCode
from mcp_platform.cli.failure import report_fault, report_unexpected, report_usage
from mcp_platform.cli.lazy import Entry, LazyGroup

_NAME = "mcp-platform"
_COMPLETE = "_MCP_PLATFORM_COMPLETE"
"""What a shell sets when it asks for completions; the script of `completion` does."""

ENTRIES = {
    "serve": Entry("serve", "serve", "Start the platform (and do the first run on an empty folder)."),
    "init": Entry("init", "init", "Make a new platform: keys, database, first API key."),
    "doctor": Entry("doctor", "doctor", "Check an installation and say what to do about each fault."),
    "server": Entry("server", "server", "MCP servers behind the platform: add, list, remove, tools, test."),
    "virtual": Entry(
        "virtual", "virtual", "Virtual servers, chosen items at /mcp/NAME: create, list, show, set, add …"
    ),
    "key": Entry("key", "key", "API keys of agents: create, list, revoke."),
    "token": Entry("token", "token", "Short-lived tokens for the REST API: create, list, revoke."),
    "issuer": Entry("issuer", "issuer", "Identity providers whose tokens are taken: add, list, remove, test, revoke …"),
    "limit": Entry("limit", "limit", "Rate limits: set, list, remove."),
    "role": Entry("role", "role", "Roles and who holds them: create, list, delete, grant, revoke."),
    "principal": Entry("principal", "principal", "People and service accounts: list, disable, enable."),
    "audit": Entry("audit", "audit", "The record of every call: tail, search, verify, export, anchor."),
    "config": Entry("config", "config", "Settings: check them, show them and where they come from."),
    "tls": Entry("tls", "tls", "Certificates for development: dev-ca."),
    "completion": Entry("completion", "completion", "Print a shell's completion script."),
}


@click.group(
    cls=LazyGroup,
    examples=["mcp-platform serve", "mcp-platform server add time -- uvx mcp-server-time", "mcp-platform doctor"],
    entries=ENTRIES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start here: mcp-platform serve. Every command takes --data DIR, --json and --quiet after its name.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def root() -> None:
    """Run and manage a gateway between AI agents and their MCP servers."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; the exit code."""
    as_json = "--json" in arguments[: _end_of_options(arguments)]
    try:
        answer = _obey(list(arguments))
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except Fault as fault:
        return report_fault(fault, as_json=as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        return report_usage(error, as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        print("Interrupted.", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except Exception as error:  # the root of the command: whatever was not foreseen ends here
        return report_unexpected(error, as_json=as_json)
    return answer if isinstance(answer, int) else ExitCode.OK


def _obey(arguments: list[str]) -> object:
    """Not click's own `main`: it ends the process where a reader has gone, with the code of a failure."""
    if _COMPLETE in os.environ:
        return root.main(args=arguments, prog_name=_NAME, complete_var=_COMPLETE)
    with root.make_context(_NAME, arguments) as context:
        return root.invoke(context)


def _end_of_options(arguments: Sequence[str]) -> int:
    return arguments.index("--") if "--" in arguments else len(arguments)


def _reader_gone() -> int:
    """`mcp-platform … | head`: end quietly, as other programs do on SIGPIPE."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE
