"""What a journal holds of calls, by the places of their intents and not by what outcomes say of themselves."""

from pathlib import Path

from mcp_platform.journal import place
from mcp_platform.journal.read import entries
from mcp_platform.journal.record import Intent, Outcome, Segment


def kept(folder: Path) -> tuple[set[str], set[str], set[str]]:
    """Traces of the intents, and of those with an outcome, and of those whose outcome is `unknown`."""
    traces: dict[tuple[bytes, int], str] = {}
    ends: dict[tuple[bytes, int], str] = {}
    for file in place.segments(folder):
        segment = b""
        for entry in entries(folder, file.name):
            record = entry.record
            if isinstance(record, Segment):
                segment = record.segment
            elif isinstance(record, Intent):
                traces[segment, entry.index] = record.trace
            elif isinstance(record, Outcome):
                call = (record.intent_segment or segment, record.intent_index)
                assert call not in ends, "an intent has one outcome"
                ends[call] = record.outcome
    assert ends.keys() <= traces.keys(), "an outcome has its intent"
    unknown = {traces[call] for call, outcome in ends.items() if outcome == "unknown"}
    return set(traces.values()), {traces[call] for call in ends} - unknown, unknown
