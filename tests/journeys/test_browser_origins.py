"""What Chromium itself makes of our CORS answers: a page of an allowed origin reads, one of another does not."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.journeys import stock_servers as stock
from tests.journeys.platform import Platform, modern_request

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not on this machine"),
]
PAGE = """<!doctype html><title>a page</title><pre id="out">nothing</pre><script>
const out = document.getElementById("out");
async function ask(headers) {
  try {
    const answer = await fetch(%(url)s, {method: "POST", headers, body: %(body)s});
    return [answer.status, answer.headers.get("www-authenticate"), (await answer.text()).includes("jsonrpc")];
  } catch (error) { return [error.name]; }
}
(async () => {
  const good = await ask(%(good)s), bad = await ask(%(bad)s);
  out.textContent = JSON.stringify({good, bad});
})();
</script>"""


@contextmanager
def page_server(text: str) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def seen_in(folder: Path, url: str) -> dict[str, list[object]]:
    """What the page wrote of its two requests."""
    assert CHROMIUM is not None
    line = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
    line += ["--disable-background-networking", f"--user-data-dir={folder}", "--virtual-time-budget=8000", "--dump-dom"]
    done = subprocess.run([*line, url], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r'<pre id="out">(\{.*?\})</pre>', done.stdout)
    assert found is not None, done.stdout + done.stderr
    outcome: dict[str, list[object]] = json.loads(found[1])
    return outcome


def test_a_browser_lets_pages_of_allowed_origins_read_and_no_others(tmp_path: Path) -> None:
    platform = Platform.make(tmp_path)
    body, headers = modern_request("tools/list", {}, platform.api_key)
    gateway = stock.free_port()
    text = {
        "url": json.dumps(f"http://127.0.0.1:{gateway}/mcp"),
        "body": json.dumps(body.decode()),
        "good": json.dumps(headers),
        "bad": json.dumps({**headers, "Authorization": "Bearer wrong"}),
    }
    with page_server(PAGE % text) as page:
        settings = platform.data / "mcp-platform.toml"
        own = f'[gateway]\nallowed_origins = ["http://127.0.0.1:{page}"]\nport = {gateway}\n'
        settings.write_text(f"{own}[console]\nport = 0\n")
        platform.start()
        try:
            seen = seen_in(tmp_path / "one", f"http://127.0.0.1:{page}/")
            assert seen["good"] == [200, None, True]
            status, challenge, readable = seen["bad"]
            assert (status, readable) == (401, True)
            assert str(challenge).startswith("Bearer")
            elsewhere = seen_in(tmp_path / "two", f"http://localhost:{page}/")
            assert elsewhere == {"good": ["TypeError"], "bad": ["TypeError"]}
        finally:
            platform.stop()
