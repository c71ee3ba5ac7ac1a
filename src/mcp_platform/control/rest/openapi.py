"""The OpenAPI 3.1 document, made from the table of routes: it says every status that each route can answer."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

import mcp_platform
from mcp_platform.base.errors import INTERNAL, INVALID, UNAVAILABLE, ErrorKind
from mcp_platform.control.errors import ACTION_TOO_SLOW, NAMES_UNKNOWN
from mcp_platform.control.rest import errors as api
from mcp_platform.control.rest.cursor import MAX_CHARACTERS
from mcp_platform.control.rest.place import PREFIX
from mcp_platform.control.rest.problem import DOCS, MEDIA_TYPE, Problem
from mcp_platform.control.rest.question import LIMIT, MAX_LIMIT
from mcp_platform.control.rest.state import STATE_PATTERN
from mcp_platform.control.rest.table import ROUTES
from mcp_platform.features.cors.errors import CROSS_SITE_REFUSED, HOST_REFUSED, ORIGIN_REFUSED
from mcp_platform.features.rbac.errors import FORBIDDEN
from mcp_platform.features.tokens import errors as token
from mcp_platform.net import errors as http
from mcp_platform.store.errors import STORE_BUSY, STORE_FAILED
from mcp_platform.store.route import Route
from mcp_platform.wire import errors as wire

PATH = "/openapi.json"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@+-]*$"
"""What every name and id in a path is like; of one that is not, there is nothing."""
_JSON = "application/json"
_COMPONENTS = "#/components/schemas/{name}"
ALWAYS = (
    *(http.HTTP_MALFORMED, http.HTTP_TARGET, http.HTTP_HOST, http.HTTP_DUPLICATE, http.HTTP_FRAMING, http.HTTP_CHUNK),
    *(http.HTTP_TIMEOUT, http.HTTP_BODY_TOO_LARGE, http.HTTP_TARGET_TOO_LONG, http.HTTP_EXPECTATION),
    *(http.HTTP_HEADERS_TOO_LARGE, http.HTTP_ADDRESS_BUSY, http.HTTP_BUSY, http.HTTP_VERSION),
    *(HOST_REFUSED, ORIGIN_REFUSED, CROSS_SITE_REFUSED),
    *(token.ADMIN_TOKEN_MISSING, token.ADMIN_TOKEN_INVALID, token.ADMIN_TOKEN_EXPIRED, token.ADMIN_TOKEN_FLOOD),
    *(api.API_STARTING, INTERNAL),
)
"""What any request can be answered with before, or instead of, what it asks for."""
ACTING = (
    FORBIDDEN,
    INVALID,
    api.API_IDEMPOTENCY,
    api.STATE_MALFORMED,
    STORE_BUSY,
    STORE_FAILED,
    UNAVAILABLE,
    ACTION_TOO_SLOW,
)
"""What every action can be answered with."""
BODY = (api.API_MEDIA_TYPE, wire.PARSE_ERROR, wire.DUPLICATE_KEY, wire.TOO_DEEP, wire.TOO_COMPLEX)
GUARDED = (api.STATE_CHANGED, api.STATE_UNSAID)


def kinds(route: Route) -> tuple[ErrorKind, ...]:
    """Every kind of refusal that a route can answer with."""
    return (
        *ALWAYS,
        *ACTING,
        *(BODY if route.body is not None else (api.API_BODY_UNEXPECTED,)),
        *((api.CURSOR_INVALID,) if route.listing is not None else ()),
        *(GUARDED if route.guarded is not None else ()),
        *((NAMES_UNKNOWN,) if route.action.names is not None else ()),
        *((route.absent,) if route.absent is not None else ()),
        *route.refusals,
    )


def document() -> dict[str, Any]:
    """The whole document; the same for every platform of one version."""
    models = _models()
    schemas, components = msgspec.json.schema_components(models, ref_template=_COMPONENTS)
    schema_of = dict(zip(models, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(route, schema_of)
    paths[PREFIX + PATH] = {"get": _own_operation()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "MCP Platform",
            "version": mcp_platform.__version__,
            "description": "Everything that can be asked of the control plane. Each operation is one action: it needs "
            "the action's permission and leaves a row in the audit log, refusals too. `HEAD` is taken wherever `GET` "
            "is. Idempotency-Key is not supported yet and is refused.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The console's listener."}],
        "security": [{"adminToken": []}],
        "tags": [{"name": name} for name in dict.fromkeys(map(_tag, ROUTES))],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "adminToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "mcpa_",
                    "description": "Made by `mcp-platform token create` at the machine; good for at most an hour.",
                }
            },
        },
    }


def _models() -> list[type[msgspec.Struct]]:
    named = [each for route in ROUTES for each in (route.answer, route.body, route.query) if each is not None]
    return list(dict.fromkeys([Problem, *named]))


def _tag(route: Route) -> str:
    return route.path.split("/")[1]


def _operation(route: Route, schema_of: Mapping[type[msgspec.Struct], Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{''.join(_word(part) for part in route.path.split('/') if part)}",
        "summary": route.summary,
        "description": f"Needs the permission `{route.permission}`. Action `{route.action.name}`.",
        "tags": [_tag(route)],
        "parameters": [*_in_path(route), *_in_query(route), *_in_headers(route)],
        "responses": {**_good(route, schema_of[route.answer]), **_bad(kinds(route))},
    }
    if route.body is not None:
        media: dict[str, Any] = {"schema": schema_of[route.body]}
        if route.example is not None:
            media["example"] = dict(route.example)
        operation["requestBody"] = {"required": True, "content": {_JSON: media}}
    return operation


def _word(part: str) -> str:
    return f"By{part.strip('{}').capitalize()}" if part.startswith("{") else part.capitalize()


def _in_path(route: Route) -> list[dict[str, Any]]:
    names = [part.strip("{}") for part in route.path.split("/") if part.startswith("{")]
    schema = {"type": "string", "pattern": NAME_PATTERN, "maxLength": 64}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _in_query(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if route.query is not None:
        for name, schema in msgspec.json.schema(route.query)["$defs"][route.query.__name__]["properties"].items():
            text = next(each for each in schema.get("anyOf", [schema]) if each.get("type") == "string")
            found.append({"name": name, "in": "query", "schema": text})
    if route.listing is not None:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": LIMIT}
        found.append({"name": "limit", "in": "query", "schema": limit, "description": "Things in one page."})
        cursor = {"type": "string", "pattern": r"^[A-Za-z0-9_-]+$", "minLength": 38, "maxLength": MAX_CHARACTERS}
        says = "`next` of the page before. Good only for the same token and the same question."
        found.append({"name": "cursor", "in": "query", "schema": cursor, "description": says})
    return found


def _in_headers(route: Route) -> list[dict[str, Any]]:
    if route.guarded is not None:
        new = route.method == "PUT"
        says = "ETag of the resource as you know it, or `*` for whatever state it is in."
        says += " Not needed for one that is not there yet." if new else ""
        header = {"name": "If-Match", "in": "header", "required": not new, "description": says, "example": "*"}
        return [{**header, "schema": {"type": "string", "pattern": STATE_PATTERN}}]
    if route.has_state:
        says = "ETag that you have; where it is still right, the answer is 304."
        header = {"name": "If-None-Match", "in": "header", "description": says}
        return [{**header, "schema": {"type": "string", "pattern": STATE_PATTERN}}]
    return []


def _good(route: Route, schema: dict[str, Any]) -> dict[str, Any]:
    if route.listing is not None:
        schema = {
            "type": "object",
            "required": ["items", "next"],
            "additionalProperties": False,
            "properties": {
                "items": {"type": "array", "items": schema, "maxItems": MAX_LIMIT},
                "next": {"type": ["string", "null"], "description": "Cursor of the next page; null on the last."},
            },
        }
    answer: dict[str, Any] = {
        "description": HTTPStatus(route.status).phrase,
        "content": {_JSON: {"schema": schema}},
    }
    found = {str(route.status): answer}
    if route.has_state:
        header = {"ETag": {"schema": {"type": "string"}, "description": "The state of what is answered."}}
        answer["headers"] = header
        found["304"] = {"description": "It is as If-None-Match says.", "headers": header}
    return found


def _bad(refusals: Iterable[ErrorKind]) -> dict[str, Any]:
    by_status: dict[int, list[ErrorKind]] = {}
    for kind in dict.fromkeys(refusals):
        by_status.setdefault(kind.http, []).append(kind)
    return {str(status): _refusal(status, found) for status, found in sorted(by_status.items())}


def _refusal(status: int, found: list[ErrorKind]) -> dict[str, Any]:
    codes = sorted(kind.code for kind in found)
    first = found[0]
    answer: dict[str, Any] = {
        "description": f"One of: {', '.join(f'`{code}`' for code in codes)}.",
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": _COMPONENTS.format(name="Problem")},
                "example": {
                    "type": DOCS + first.code,
                    "title": first.text,
                    "status": status,
                    "detail": first.text,
                    "code": first.code,
                    "errorId": "err_0123456789ABCDEF",
                },
            }
        },
    }
    if status == 401:
        answer["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds, where known."}}
    return answer


def _own_operation() -> dict[str, Any]:
    good = {"200": {"description": "OK", "content": {_JSON: {"schema": {"type": "object"}}}}}
    return {
        "operationId": "getOpenapi",
        "summary": "This document.",
        "tags": ["openapi"],
        "parameters": [],
        "responses": {**good, **_bad(ALWAYS)},
    }
