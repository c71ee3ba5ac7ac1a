"""A subject's key is made once, however many ask at the same moment."""

import asyncio
import os
from pathlib import Path

from mcp_platform.base.folder import DataFolder, make_private
from mcp_platform.journal.subjects import SubjectKeys


async def test_many_first_calls_of_one_subject_get_one_key(tmp_path: Path) -> None:
    """Each makes its key in a thread: the threads of one worker, and other workers, may meet in the folder."""
    data = DataFolder(tmp_path)
    make_private(data.keys)
    secret = os.urandom(64)
    for subject in (f"prn_{number}" for number in range(20)):
        workers = [SubjectKeys(data, secret), SubjectKeys(data, secret)]
        found = await asyncio.gather(*(worker.key(subject) for worker in workers * 8))
        assert len({key.id for key in found}) == 1
    assert [path.name for path in data.keys.rglob(".*")] == []
