"""What the programs of the official Python clients share: steps as JSON on stdin, outcomes on stdout.

Imports no SDK: each of them runs in an environment of its own. Steps are `["list"]` and `["call", NAME, ARGUMENTS]`.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Outcome = dict[str, Any]
Ask = Callable[[list[Any]], Awaitable[Outcome]]
Connect = Callable[[str, str, list[list[Any]]], Awaitable[list[Outcome]]]
"""URL, key and steps → the era, then what came of each step."""


def told(failed: bool, content: Iterable[Any]) -> Outcome:
    """The result of a call."""
    return {"failed": failed, "text": [part.text for part in content if part.type == "text"]}


async def outcomes(ask: Ask, steps: list[list[Any]], errors: type[Exception]) -> list[Outcome]:
    """What came of each step; `errors` is what the client raises for a JSON-RPC error."""
    found: list[Outcome] = []
    for step in steps:
        try:
            found.append(await ask(step))
        except errors as raised:
            error: Any = raised
            part = error.error
            found.append({"error": {"code": part.code, "message": part.message, "data": part.data}})
    return found


def main(connect: Connect, errors: type[Exception]) -> None:
    url, key = sys.argv[1:]
    try:
        said = asyncio.run(_all(connect, url, key))
    except Exception as error:
        said = [_refusal(error, errors)]
    print(json.dumps(said))


async def _all(connect: Connect, url: str, key: str) -> list[Outcome]:
    return await connect(url, key, json.load(sys.stdin))


def _leaves(error: BaseException) -> list[BaseException]:
    inner = getattr(error, "exceptions", ())
    return [leaf for part in inner for leaf in _leaves(part)] if inner else [error]


def _refusal(error: BaseException, errors: type[Exception]) -> Outcome:
    """What stopped the connection: HTTP statuses and JSON-RPC codes, wherever the client put them."""
    found = []
    for leaf in _leaves(error):
        answer = getattr(leaf, "response", None)
        if answer is not None:
            found.append(answer.status_code)
        if isinstance(leaf, errors):
            part: Any = leaf
            found.append(part.error.code)
    return {"refused": found, "message": "; ".join(str(leaf) for leaf in _leaves(error))}
