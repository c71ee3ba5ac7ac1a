"""How a command fails: one clear line for people or one JSON object, and an exit code. Never a traceback, except on
demand; what nobody expected leaves its traceback in a 0600 file under an error id.
"""

import os
import sys
import tempfile
import traceback

import click

from mcp_platform.base.errors import INTERNAL, Fault
from mcp_platform.base.ids import random_text
from mcp_platform.cli.exit_codes import ExitCode, of
from mcp_platform.cli.output import object_is_printed, print_object, printable


def report_fault(fault: Fault, *, as_json: bool) -> int:
    """Say what is wrong; the exit code."""
    code = of(fault)
    data = {**fault.data}
    if fault.retry_after_s is not None:
        data["retry_after_s"] = fault.retry_after_s
    text = fault.text
    if not as_json and "stage" in data:
        reason = f", {data['reason']}" if "reason" in data else ""
        wrote = f" It wrote: {data['received']}" if "received" in data else ""
        text = f"{text} (It got as far as: {data['stage']}{reason}.){wrote}"
    _say(fault.kind.code, text, data, code, as_json=as_json)
    return code


def report_usage(error: click.ClickException, *, as_json: bool) -> int:
    """A command line that click could not read."""
    text = error.format_message().replace("\n", " ")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "mcp-platform"
    code = ExitCode.USAGE if isinstance(error, click.UsageError) else ExitCode.FAILED
    if isinstance(error, click.NoSuchOption) and isinstance(getattr(context, "command", None), click.Group):
        text = f"{text.partition('.')[0]} here; options stand after the whole command's name."
    if not text.endswith((".", "?", ")")):
        text += "."
    _say("usage", f"{text} See `{path} --help`.", {}, code, as_json=as_json)
    return code


def report_unexpected(error: BaseException, *, as_json: bool) -> int:
    """A mistake of ours: an id for the user, the traceback for who repairs it."""
    error_id = random_text(12)
    trace = "".join(traceback.format_exception(error))
    if os.environ.get("MCP_PLATFORM_DEBUG") == "1":
        print(trace, file=sys.stderr)
        kept = "shown above"
    else:
        kept = _keep(error_id, trace)
    text = f"Something went wrong that should not have ({type(error).__name__}); error id {error_id}, traceback {kept}."
    _say(INTERNAL.code, text, {"error_id": error_id}, ExitCode.FAILED, as_json=as_json)
    return ExitCode.FAILED


def _keep(error_id: str, trace: str) -> str:
    """Where the traceback went. mkstemp makes a new file with mode 0600."""
    try:
        handle, path = tempfile.mkstemp(prefix=f"mcp-platform-{error_id}-", suffix=".txt")
        with os.fdopen(handle, "w") as stream:
            stream.write(trace)
    except OSError:
        return "lost (no place to write it; set MCP_PLATFORM_DEBUG=1 to see it)"
    return f"in {path}"


def _say(code: str, text: str, data: dict[str, object], exit_code: ExitCode, *, as_json: bool) -> None:
    if as_json and not object_is_printed():
        print_object({"error": {"code": code, "text": text, "data": data, "exit_code": int(exit_code)}})
    else:
        print(f"Error: {printable(text)}", file=sys.stderr, flush=True)
