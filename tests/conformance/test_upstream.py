"""The upstreams of one era refuse the other as such servers do, so that the bridge has something to bridge."""

from pathlib import Path

import pytest

from tests.conformance.upstream import http_upstream, line
from tests.journeys.platform import LEGACY, MODERN
from tests.journeys.test_stock_servers import DISCOVER, HEADERS, INITIALIZE, over_http, over_stdio

pytestmark = pytest.mark.peers

PLAIN = {name: HEADERS[name] for name in ("Content-Type", "Accept")}


def test_each_knows_its_era_over_http(tmp_path: Path) -> None:
    with http_upstream(tmp_path / "legacy", "--only", "legacy") as upstream:
        assert over_http(upstream.url, DISCOVER, HEADERS).status == 400
        assert over_http(upstream.url, INITIALIZE, PLAIN).json()["result"]["protocolVersion"] == LEGACY
    with http_upstream(tmp_path / "modern", "--only", "modern") as upstream:
        assert over_http(upstream.url, DISCOVER, HEADERS).json()["result"]["supportedVersions"] == [MODERN]
        assert over_http(upstream.url, INITIALIZE, PLAIN).status == 400
    with http_upstream(tmp_path / "dual") as upstream:
        assert over_http(upstream.url, DISCOVER, HEADERS).json()["result"]["supportedVersions"] == [MODERN]
        assert over_http(upstream.url, INITIALIZE, PLAIN).json()["result"]["protocolVersion"] == LEGACY


def test_each_knows_its_era_over_stdio(tmp_path: Path) -> None:
    legacy, modern, dual = line("--only", "legacy"), line("--only", "modern"), line()
    assert "error" in over_stdio(legacy, DISCOVER, tmp_path)
    assert "error" in over_stdio(modern, INITIALIZE, tmp_path)
    for command in (modern, dual):
        assert over_stdio(command, DISCOVER, tmp_path)["result"]["supportedVersions"] == [MODERN]
    for command in (legacy, dual):
        assert over_stdio(command, INITIALIZE, tmp_path)["result"]["protocolVersion"] == LEGACY
