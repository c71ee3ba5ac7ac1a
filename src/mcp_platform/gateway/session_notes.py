"""What a legacy session has told us after it began: its log level, and the resources it is subscribed to.

Every worker holds the notes of every session that has any, because any of them may be asked next; control holds them
for workers that start later. A note is not a right: who asks is authorised each time.
"""

from collections import OrderedDict

from mcp_platform.base import clock
from mcp_platform.snapshot.model import SessionNotes

MAX_NOTES = 50_000
"""Sessions whose notes one worker remembers; the oldest goes first, and is as if it had said nothing."""


class Notes:
    """All notes that one worker knows."""

    def __init__(self) -> None:
        self._of: OrderedDict[bytes, SessionNotes] = OrderedDict()

    def of(self, session: bytes) -> SessionNotes:
        """Of the session with this mark."""
        return self._of.get(session) or SessionNotes(session, 0.0)

    def change(
        self,
        session: bytes,
        until: float,
        *,
        level: str | None = None,
        add: str | None = None,
        remove: str | None = None,
    ) -> SessionNotes:
        """Change one thing; the result is for the other workers. `until`: when the session ends."""
        notes = self.of(session)
        uris = tuple(uri for uri in notes.uris if uri not in (add, remove))
        made = SessionNotes(
            session,
            until,
            level=notes.level if level is None else level,
            uris=uris if add is None else (*uris, add),
            changed=max(clock.now(), notes.changed + 1e-6),
        )
        self.heard(made)
        return made

    def heard(self, notes: SessionNotes) -> None:
        """Some worker noted this; the newest counts."""
        if notes.changed < self.of(notes.mark).changed:
            return
        self._of[notes.mark] = notes
        self._of.move_to_end(notes.mark)
        while len(self._of) > MAX_NOTES:
            self._of.popitem(last=False)

    def forget(self, session: bytes) -> None:
        """The session ended."""
        self._of.pop(session, None)

    def all(self) -> list[SessionNotes]:
        """Every note that still means something, for a control that was started anew."""
        now = clock.now()
        return [notes for notes in self._of.values() if notes.until > now]
