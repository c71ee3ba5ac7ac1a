"""The REST API as a FastAPI application: every route of the features' tables, bound to control/execute.py.

The only module that imports FastAPI. It decides nothing: who asks was judged before, what is asked is judged by the
endpoint, and every answer that is not 2xx is a problem (RFC 9457).
"""

from collections.abc import Awaitable, Callable

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from mcp_platform.base.errors import INTERNAL, INVALID, Fault
from mcp_platform.base.log import Log
from mcp_platform.control.execute import Executor
from mcp_platform.control.rest import openapi
from mcp_platform.control.rest.cursor import Cursors
from mcp_platform.control.rest.endpoint import Answer, Asked, Endpoint
from mcp_platform.control.rest.errors import API_METHOD, API_UNKNOWN
from mcp_platform.control.rest.place import PREFIX
from mcp_platform.control.rest.problem import MEDIA_TYPE, problem
from mcp_platform.control.rest.table import ROUTES, states

_JSON = "application/json"
_log = Log("control.app")
Handler = Callable[[Request], Awaitable[Response]]


def build(executor: Executor, data_key: bytes) -> FastAPI:
    """The application. Each request's scope has its `actor` in `state`."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    cursors, resources = Cursors(data_key), states()
    for route in ROUTES:
        resource = None if route.guarded is None else resources[route.guarded]
        _bind(app, route.method, route.path, _handler(Endpoint(route, resource, executor, cursors)))
    document = msgspec.json.encode(openapi.document(), order="deterministic")
    _bind(app, "GET", openapi.PATH, _document(document))
    app.add_exception_handler(Fault, _refused)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _refused)
    return app


def _bind(app: FastAPI, method: str, path: str, handler: Handler) -> None:
    methods = ["GET", "HEAD"] if method == "GET" else [method]
    app.add_api_route(PREFIX + path, handler, methods=methods, response_model=None, include_in_schema=False)


def _handler(endpoint: Endpoint) -> Handler:
    async def handle(request: Request) -> Response:
        asked = Asked(
            actor=request.state.actor,
            path=request.path_params,
            query=request.url.query,
            headers=request.headers,
            body=await request.body(),
        )
        try:
            return _response(await endpoint.answer(asked))
        except Fault:
            raise
        except Exception as error:  # the root of a request: logged here, told safely
            _log.error("request_failed", exc=error, action=endpoint.route.action.name)
            raise Fault(INTERNAL) from error

    return handle


def _document(document: bytes) -> Handler:
    async def handle(request: Request) -> Response:
        return Response(document, media_type=_JSON)

    return handle


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers), media_type=_JSON)


async def _refused(request: Request, error: Exception) -> Response:
    """A Fault of ours, or FastAPI's own refusal of a path, a method or a form."""
    if isinstance(error, HTTPException) and error.status_code in (404, 405):
        allowed = _allowed(request)
        if not allowed:
            return _problem(Fault(API_UNKNOWN), {})
        headers = {"Allow": ", ".join([*allowed, "OPTIONS"])}
        return Response(b"", 204, headers) if request.method == "OPTIONS" else _problem(Fault(API_METHOD), headers)
    if isinstance(error, Fault):
        return _problem(error, {})
    if isinstance(error, RequestValidationError):
        return _problem(Fault(INVALID), {})
    _log.error("request_refused_by_framework", exc=error)
    return _problem(Fault(INTERNAL), {})


def _allowed(request: Request) -> list[str]:
    """Every method of every route of this path; none where there is no such path."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods
    return sorted(found)


def _problem(fault: Fault, headers: dict[str, str]) -> Response:
    status, lines, body = problem(fault)
    more = dict(line.split(": ", 1) for line in lines.decode().splitlines())
    return Response(body, status, {**headers, **more}, media_type=MEDIA_TYPE)
