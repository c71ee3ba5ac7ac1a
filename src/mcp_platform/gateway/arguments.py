"""Arguments that do not fit a tool's schema: what the record and the model are told."""

from mcp_platform.base.errors import Fault
from mcp_platform.features.validation.check import Problem
from mcp_platform.features.validation.errors import ARGUMENTS_INVALID
from mcp_platform.gateway import answers, record
from mcp_platform.gateway.request import Request
from mcp_platform.wire.versions import input_errors_are_results


def refuse(request: Request, problem: Problem) -> None:
    """Answer a tools/call whose arguments do not fit."""
    fault = Fault(ARGUMENTS_INVALID)
    record.refused(request.world, request.exchange, fault, request.identity, request.message, request.endpoint)
    outlet = request.outlet()
    text, data = describe(problem), problem.as_data()
    if input_errors_are_results(request.version):
        outlet.result(answers.tool_error(text, ARGUMENTS_INVALID.code, data, modern=request.modern))
    else:
        outlet.fail(Fault(ARGUMENTS_INVALID, text, data))


def describe(problem: Problem) -> str:
    """What a model must read to do better: where, which rule, and what the schema has there."""
    lines = [
        f"{failure.pointer or '(the whole object)'}: `{failure.keyword}`"
        + (f" expects {failure.expected}" if failure.expected is not None else "")
        for failure in problem.failures
    ]
    return "\n".join([ARGUMENTS_INVALID.text, *lines])
