"""From settings to a journal: what each process calls at its start."""

from mcp_platform.base.config import Settings
from mcp_platform.base.folder import DataFolder, make_private
from mcp_platform.journal import place
from mcp_platform.journal.calls import CallJournal
from mcp_platform.journal.options import Options
from mcp_platform.journal.subjects import SubjectKeys
from mcp_platform.journal.writer import JournalWriter


def options_of(settings: Settings) -> Options:
    journal = settings.journal
    return Options(
        durability=journal.durability,
        segment_bytes=journal.segment_bytes,
        segment_age_s=journal.segment_age_s,
        reserve_bytes=journal.reserve_bytes,
        stall_s=journal.stall_s,
    )


def start_calls(data: DataFolder, settings: Settings, slot: int, worker_secret: bytes) -> CallJournal:
    """A worker's journal, on the running loop. A disk that refuses makes calls be refused, not this."""
    make_private(data.journal)
    writer = JournalWriter(data.journal, place.platform_id(data), place.worker(slot), options_of(settings))
    writer.start()
    return CallJournal(writer, SubjectKeys(data, worker_secret), settings.journal.content)
