"""The schema's revisions that this version has migrations for: the first word of each file's name, in order.

Imports neither SQLAlchemy nor Alembic: every start asks this, few have anything to migrate.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent / "migrations" / "versions"


def known() -> list[str]:
    """Oldest first."""
    return sorted(file.stem.partition("_")[0] for file in _FOLDER.glob("[0-9]*.py"))


def newest() -> str:
    """The revision that this version works with."""
    return known()[-1]
