"""A real platform whose surfaces speak TLS."""

import contextlib
import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path

from tests.attacks.certificates import Authority
from tests.journeys.platform import Platform

TLS = """
[gateway]
port = 0
{public}
tls_certificate = "{folder}/server.pem"
tls_key = "{folder}/server-key.pem"

[console]
port = 0
{public}
tls_certificate = "{folder}/server.pem"
tls_key = "{folder}/server-key.pem"

[http]
header_timeout_s = 1.0

[tls]
minimum = "{minimum}"
"""


class Secured(Platform):
    """A platform that is asked over TLS."""

    authority: str
    """PEM of whom its clients trust."""
    folder: Path
    """Of the certificate and its key."""

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.authority)
        return context

    def connection(self, surface: str = "gateway") -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.ports[surface], timeout=10, context=self.context())

    def is_ready(self) -> bool:
        connection = self.connection()
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def mcp_url(self) -> str:
        return f"https://127.0.0.1:{self.ports['gateway']}/mcp"


@contextlib.contextmanager
def secured(folder: Path, issuer: Authority, minimum: str = "1.3", public_url: str | None = None) -> Iterator[Secured]:
    """A platform that speaks TLS on both surfaces, ready, and gone afterwards."""
    files = folder / "tls"
    files.mkdir(mode=0o700)
    issuer.issue().write(files)
    made = Secured.make(folder)
    assert isinstance(made, Secured)
    made.authority, made.folder = issuer.pem, files
    settings = made.data / "mcp-platform.toml"
    public = "" if public_url is None else f'public_url = "{public_url}"'
    settings.write_text(TLS.format(folder=files, minimum=minimum, public=public))
    try:
        made.start()
        yield made
    finally:
        if made.process is not None:
            made.stop()
