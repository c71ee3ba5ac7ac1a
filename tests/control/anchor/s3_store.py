"""A small S3-compatible store on a real socket: it checks the signature by AWS's steps, written apart from ours."""

import hashlib
import hmac
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ACCESS = "AKTEST"
SECRET = "a/secret+key"
REGION = "eu-test-1"


class Store(ThreadingHTTPServer):
    """Objects by path. `refuse`: answer with this status."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.wrong: list[str] = []
        self.refuse = 0

    @property
    def place(self) -> str:
        return f"s3+http://127.0.0.1:{self.server_port}/audit/some/prefix?region={REGION}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        server = self.server
        assert isinstance(server, Store)
        body = self.rfile.read(int(self.headers["content-length"]))
        problem = self._problem(body)
        status = server.refuse or (403 if problem else 200)
        if problem:
            server.wrong.append(problem)
        elif status == 200:
            server.objects[self.path] = body
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def _problem(self, body: bytes) -> str:
        match = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, "
            r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
            self.headers["authorization"] or "",
        )
        if match is None:
            return "no authorization"
        access, day, region, names, signature = match.groups()
        if (access, region) != (ACCESS, REGION) or not self.headers["x-amz-date"].startswith(day):
            return "another scope"
        if self.headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
            return "another body"
        if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names.split(";")):
            return "something is not signed"
        return "" if self._expected(day, region, names) == signature else "another signature"

    def _expected(self, day: str, region: str, names: str) -> str:
        lines = "".join(f"{name}:{self.headers[name].strip()}\n" for name in names.split(";"))
        digest = self.headers["x-amz-content-sha256"]
        request = f"PUT\n{self.path}\n\n{lines}\n{names}\n{digest}"
        scope = f"{day}/{region}/s3/aws4_request"
        hashed = hashlib.sha256(request.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self.headers['x-amz-date']}\n{scope}\n{hashed}"
        key = b"AWS4" + SECRET.encode()
        for part in (day, region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def s3_store() -> Iterator[Store]:
    server = Store()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
