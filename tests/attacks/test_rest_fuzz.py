"""The OpenAPI document, fuzzed: whatever schemathesis makes of it, no server error and no answer that is not in it.

The application, its server and its database are the real ones; the servers and issuers outside answer from memory, so
nothing is started and nothing leaves the machine.
"""

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.control.rest import API, Rest, rest
from tests.peers.environments import command_of

pytestmark = [pytest.mark.anyio, pytest.mark.peers]
REVOKE = "deleteTokensById"
CONFIG = Path(__file__).with_name("schemathesis.toml")
KEYS = {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k"} | {
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
"""The public key of RFC 7515, appendix A.3."""


async def populate(api: Rest) -> None:
    """Something of each kind, so that what is asked for may be there."""
    api.world.reach.key_set = json.dumps({"keys": [KEYS]}).encode()
    for path, body in (
        ("/keys", {"principal": "ci"}),
        ("/roles", {"name": "readers", "rules": ["git/log"]}),
        ("/servers", {"name": "git", "url": "http://127.0.0.1:1/mcp"}),
        ("/issuers", {"name": "corp", "url": "https://i.example/", "keys_url": "https://i.example/keys"}),
    ):
        assert (await api.ask("POST", f"{API}{path}", body)).status == 201


async def fuzz(api: Rest, folder: Path, document: bytes, *arguments: str) -> tuple[int, str]:
    (folder / "openapi.json").write_bytes(document)
    process = await asyncio.create_subprocess_exec(
        *(str(command_of("schemathesis", "schemathesis")), "--no-color", "--config-file", str(CONFIG)),
        *("run", "openapi.json", "--url", f"http://127.0.0.1:{api.port}", "--checks", "all"),
        *("-H", f"Authorization: Bearer {api.token}", "--continue-on-failure", "--no-shrink", "--warnings", "off"),
        *arguments,
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 900)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None, "it has ended"
    return process.returncode, said.decode()


async def check(folder: Path, *arguments: str) -> None:
    """Token revocation comes last and alone: the tool finds its own token in the list."""
    async with rest(folder) as api:
        api.door.tries.many = 10**9  # the tool sends thousands without a token, and expects the same answer to each
        await populate(api)
        document = (await api.ask("GET", f"{API}/openapi.json")).body
        for choice in ("--exclude-operation-id", "--include-operation-id"):
            status, said = await fuzz(api, folder, document, choice, REVOKE, *arguments)
            assert status == 0, "\n".join(line[:400] for line in said.splitlines())[-12000:]
            assert "No issues found" in said
            if choice.startswith("--exclude"):
                assert (await api.ask("GET", f"{API}/audit/verification")).json()["intact"] is True


async def test_no_server_error_and_no_undocumented_answer(tmp_path: Path) -> None:
    await check(tmp_path, "--phases", "examples,fuzzing", "--max-examples", "5", "--seed", "20261122")


@pytest.mark.long
async def test_no_server_error_and_no_undocumented_answer_for_long(tmp_path: Path) -> None:
    """With the edges of every field, and with what one answer says used in the next request."""
    await check(tmp_path, "--max-examples", "60")


async def test_a_planted_untruth_of_the_document_is_found(tmp_path: Path) -> None:
    """A check that cannot fail is no check."""
    async with rest(tmp_path) as api:
        api.door.tries.many = 10**9
        document = (await api.ask("GET", f"{API}/openapi.json")).json()
        del document["paths"][f"{API}/roles"]["get"]["responses"]["422"]
        planted = json.dumps(document).encode()
        status, said = await fuzz(api, tmp_path, planted, "--include-operation-id", "getRoles", "--phases", "coverage")
        assert status == 1
        assert "undocumented" in said.lower()
