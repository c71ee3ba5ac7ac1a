"""Looks for a text in what the journal holds of arguments and results. Keeps nothing of what it opened.

Records are read where they stand, segment by segment from its beginning: only so is each known to follow from the one
before. A segment is read once for all that is wanted of it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from mcp_platform.base import clock
from mcp_platform.base.errors import Fault
from mcp_platform.features.audit.content import Examined, Excerpt, Match
from mcp_platform.features.audit.search import Call, Place
from mcp_platform.journal import content
from mcp_platform.journal.read import Cursor, SegmentReader
from mcp_platform.journal.record import Content, Intent, Outcome, decode
from mcp_platform.journal.subjects import SubjectKey, SubjectKeys

PATIENCE_S: Final = 5.0
"""Seconds after which no further segment is begun: one takes about a second, and who asked is told something."""
AROUND: Final = 60
"""Characters before and behind what was found that are shown with it."""
AT_ONCE: Final = 50
"""Records in memory at once: one may hold a MiB."""
READABLE: Final = ("redacted", "full")


class Examination:
    """One search, in a thread of its own. `unread` and `calls` of what it gives count all it looked into."""

    def __init__(self, folder: Path, subjects: SubjectKeys, text: str) -> None:
        self._folder = folder
        self._subjects = subjects
        self._text = re.compile(re.escape(text), re.IGNORECASE)
        self._keys: dict[tuple[str, str], SubjectKey | None] = {}
        self._seen: dict[Place, Excerpt | str] = {}
        """What came of each place: an excerpt, why it cannot be read, or empty for nothing found."""

    def run(self, calls: list[Call], limit: int, *, more: bool) -> Examined:
        """Look into `calls` in their order. `more`: others follow them."""
        until = clock.monotonic() + PATIENCE_S
        examined = Examined()
        for number, call in enumerate(calls):
            if examined.calls and (len(examined.found) == limit or clock.monotonic() > until):
                more = True
                break
            self._look_into(examined, call, calls[number:])
            examined.last = call.row
        if not more:
            examined.last = None
        return examined

    def _look_into(self, examined: Examined, call: Call, ahead: list[Call]) -> None:
        examined.calls += 1
        excerpts = []
        for place, policy in _contents(call):
            if place is None or policy not in READABLE:
                said: Excerpt | str = "hashed" if policy == "hashed" else "none"
            else:
                if place not in self._seen:
                    self._read(place.name, ahead)
                said = self._seen.pop(place, "damaged")
            if isinstance(said, Excerpt):
                excerpts.append(said)
            elif said:
                setattr(examined.unread, said, getattr(examined.unread, said) + 1)
        if excerpts:
            examined.found.append(Match(call.row, tuple(excerpts)))

    # --- reading ----------------------------------------------------------------------------------------------------

    def _read(self, name: str, calls: list[Call]) -> None:
        """Everything that is wanted of one segment."""
        wanted: dict[int, str] = {}
        for call in calls:
            for place, policy in _contents(call):
                if place is not None and place.name == name and policy in READABLE:
                    wanted[place.index] = call.row.principal
        try:
            with SegmentReader(self._folder, Cursor(name)) as reader:
                last = max(wanted)
                while reader.cursor.index <= last and (entries := reader.read(AT_ONCE)):
                    for entry in entries:
                        if entry.index in wanted:
                            self._seen[Place(name, entry.index)] = self._judge(entry.body, wanted[entry.index])
        except OSError:
            return  # what was not read is `damaged`; of a segment that retention removed the row goes, too

    def _judge(self, body: bytes, subject: str) -> Excerpt | str:
        try:
            record = decode(body)
        except ValueError:
            return "damaged"
        if isinstance(record, Intent):
            return self._search(record.arguments, subject, content.ARGUMENTS)
        if isinstance(record, Outcome):
            return self._search(record.result, subject, content.RESULT)
        return "damaged"

    def _search(self, recorded: Content | None, subject: str, what: bytes) -> Excerpt | str:
        if recorded is None:
            return "damaged"
        try:
            key = self._key(subject, recorded.key)
        except (OSError, Fault):
            return "damaged"
        if key is None:
            return "erased"
        opened = content.opened(recorded, key, what)
        if opened is None:
            return "damaged"
        for text in _texts(opened):
            if found := self._text.search(text):
                around = text[max(0, found.start() - AROUND) : found.end() + AROUND]
                return Excerpt(what.decode(), around)
        return ""

    def _key(self, subject: str, key_id: str) -> SubjectKey | None:
        if (subject, key_id) not in self._keys:
            self._keys[subject, key_id] = self._subjects.look_up(subject, key_id)
        return self._keys[subject, key_id]


def _contents(call: Call) -> Iterator[tuple[Place | None, str]]:
    """Where arguments and result stand, and how they were recorded."""
    yield call.intent, call.row.arguments
    yield call.outcome, call.row.result


def _texts(opened: bytes) -> Iterator[str]:
    """What is searched: each text in the JSON without its escapes, then the whole of it as people write it."""
    try:
        value = msgspec.json.decode(opened)
        whole = msgspec.json.encode(value).decode()
    except (msgspec.MsgspecError, RecursionError, ValueError):
        yield opened.decode(errors="replace")
        return
    ahead = [value]
    while ahead:
        each = ahead.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            ahead += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            ahead += each
    yield whole
