"""Where the REST API stands on the console's listener."""

PREFIX = "/api/v1"


def is_api(path: str) -> bool:
    """Whether a path belongs to the API, or looks as if somebody meant it: those are never pages."""
    return path == "/api" or path.startswith("/api/")
