"""Whose a key file must be."""

from pathlib import Path

import pytest

from mcp_platform.base.key_file import is_ours_alone

HOME = Path("/home/ana/.config/mcp-platform/plt_1.kek")
CREDENTIAL = Path("/run/credentials/mcp-platform.service/kek")


@pytest.mark.parametrize(
    ("path", "mode", "owner", "alone"),
    [
        (HOME, 0o600, 1000, True),
        (HOME, 0o400, 1000, True),
        (HOME, 0o640, 1000, False),
        (HOME, 0o604, 1000, False),
        (HOME, 0o600, 1001, False),
        (HOME, 0o440, 0, False),
        (CREDENTIAL, 0o440, 0, True),
        (CREDENTIAL, 0o400, 0, True),
        (CREDENTIAL, 0o400, 1000, True),
        (CREDENTIAL, 0o444, 0, False),
        (CREDENTIAL, 0o440, 1000, False),
        (Path("/run/credentials/../../tmp/kek"), 0o440, 0, False),
    ],
)
def test_a_key_file_is_ours_alone(path: Path, mode: int, owner: int, alone: bool) -> None:
    assert is_ours_alone(path, mode, owner, user=1000) is alone
