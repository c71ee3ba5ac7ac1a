"""The platform's own log: one JSON object a line on stderr, control characters escaped, no secrets by construction.

Callers give fields, not prose with values in it: `log.info("upstream_started", server=name)`. Access and audit are
not logged here; they are records (see the journal).
"""

import json
import logging
import sys
from typing import Any

from mcp_platform.base import clock


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": clock.rfc3339(record.created),
            "level": record.levelname.lower(),
            "process": getattr(record, "process_role", None) or _role[0],
            "pid": record.process,
            "event": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=repr)


_role = ["main"]


def setup(role: str, level: str = "info") -> None:
    """Send every log line of this process to stderr as JSON; `role` says which process it is."""
    _role[0] = role
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


class Log:
    """A logger whose every line is an event name and fields."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: object) -> None:
        self._logger.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: object) -> None:
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: object) -> None:
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, *, exc: BaseException | None = None, **fields: object) -> None:
        self._logger.error(event, extra={"fields": fields}, exc_info=exc)
