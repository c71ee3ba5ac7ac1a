"""The REST API of a real platform: a token from the command line, a change that agents feel, an end to both."""

import http.client
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.journeys.platform import Platform, running_platform

API = "/api/v1"


def ask(
    platform: Platform, method: str, path: str, token: str, body: object = None, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", platform.ports["console"], timeout=20)
    named = {"Authorization": f"Bearer {token}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    content = None if body is None else json.dumps(body).encode()
    if content is not None:
        named["Content-Type"] = "application/json"
    try:
        connection.request(method, API + path, content, named)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), {k.lower(): v for k, v in answer.getheaders()}
    finally:
        connection.close()


def test_a_key_that_is_made_and_revoked_over_rest_is_good_and_then_refused(platform: Platform) -> None:
    token = platform.cli("token", "create", "--permission", "all", "--agent", "ci")["token"]
    status, made, _ = ask(platform, "POST", "/keys", token, {"principal": "bot", "roles": ["member"]})
    assert (status, made["published"]["taken"]) == (201, 2)
    assert platform.rpc("tools/list", key=made["api_key"]).status == 200
    _, _, shown = ask(platform, "GET", f"/keys/{made['id']}", token)
    status, ended, _ = ask(platform, "DELETE", f"/keys/{made['id']}", token, If_Match=shown["etag"])
    answered = time.monotonic()
    assert (status, ended["changed"]) == (200, True)
    while platform.rpc("tools/list", key=made["api_key"]).status != 401:
        assert time.monotonic() - answered < 1.0, "a revocation reaches every worker within a second"
    assert ask(platform, "GET", "/keys", platform.api_key)[1]["code"] == "admin_token_invalid"
    assert platform.rpc("tools/list", key=token).status == 401, "an admin token is no key for agents"

    def recorded() -> list[dict[str, Any]]:
        _, page, _ = ask(platform, "GET", f"/audit/records?query=tag:keys:key:revoke%20target:{made['id']}", token)
        return [row for row in page["items"] if row["outcome"] == "ok"]

    platform.wait_for(lambda: bool(recorded()), "the record of the change")
    (row,) = recorded()
    assert (row["actor"], row["agent"], row["address"]) == (f"token:{token[5:17]}", "ci", "127.0.0.1")
    platform.cli("token", "revoke", token[5:17])
    assert ask(platform, "GET", "/keys", token)[1]["code"] == "admin_token_invalid"
    found = {finding["check"]: finding for finding in platform.cli("doctor")["findings"]}
    assert found["rest"]["level"] == "ok"


def test_a_token_that_was_made_with_nothing_running_is_good_at_the_next_start(tmp_path: Path) -> None:
    platform = Platform.make(tmp_path)
    assert platform.run("token", "create", "--for", "61m").returncode != 0, "an hour at most"
    token = platform.cli("token", "create", "--permission", "platform:status:read")["token"]
    try:
        platform.start()
        assert ask(platform, "GET", "/status", token)[0] == 200
        assert ask(platform, "GET", "/keys", token)[1]["code"] == "forbidden"
    finally:
        platform.stop()


def test_the_api_comes_back_with_control_and_does_not_hold_up_its_start(tmp_path: Path) -> None:
    with running_platform(tmp_path) as platform:
        token = platform.cli("token", "create")["token"]
        assert ask(platform, "GET", "/keys", token)[0] == 200
        os.kill(platform.pids()["control"], signal.SIGKILL)
        began = time.monotonic()
        while True:
            try:
                status = ask(platform, "GET", "/keys", token)[0]
            except (OSError, http.client.HTTPException):
                status = 0
            if status == 200:
                break
            assert time.monotonic() - began < 15, platform.log()[-4000:]
            time.sleep(0.05)
        lines = [json.loads(line) for line in platform.log().splitlines() if line.startswith("{")]
        events = [line["event"] for line in lines if line.get("event") in ("control_ready", "rest_ready")]
        assert events == ["control_ready", "rest_ready"] * 2
