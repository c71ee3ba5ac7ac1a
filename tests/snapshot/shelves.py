"""Small and large snapshots for tests, put on a real shelf without SQL."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_platform.features.apikeys.model import KeyRow
from mcp_platform.features.identity.model import PrincipalRow
from mcp_platform.features.rbac.model import MEMBER
from mcp_platform.features.upstreams.model import PromptRow, ResourceRow, TemplateRow, ToolRow, UpstreamRow
from mcp_platform.snapshot.codec import encode_rows, hash_of, sign_manifest
from mcp_platform.snapshot.model import FORMAT, Manifest, bucket
from mcp_platform.snapshot.shelf import Shelf

SIGNER = Ed25519PrivateKey.generate()


def key_row(number: int) -> KeyRow:
    return KeyRow(f"key{number:09d}", number.to_bytes(32), "prn_a", "agent", None, None)


def tool_row(number: int, upstream: str = "srv_a") -> ToolRow:
    name = f"tool{number}"
    definition = b'{"name":"%s","inputSchema":{"type":"object"}}' % name.encode()
    return ToolRow(upstream, "alpha", name, name, definition, f"hash{number}", b'{"type":"object"}')


class Builder:
    """Puts shards and manifests on the shelf in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.shelf = Shelf(folder)
        self.shelf.prepare()

    def put(self, rows: list[object]) -> bytes:
        content = encode_rows(rows)
        address = hash_of(content)
        self.shelf.write_shard(address, content)
        return address

    def manifest(
        self,
        revision: int,
        keys: list[KeyRow],
        tools: list[ToolRow],
        shards: int = 1,
        prompts: Sequence[PromptRow] = (),
        resources: Sequence[ResourceRow] = (),
        templates: Sequence[TemplateRow] = (),
    ) -> Manifest:
        buckets: list[list[object]] = [[] for _ in range(shards)]
        for row in keys:
            buckets[bucket(row.id, shards)].append(row)
        upstream = UpstreamRow("srv_a", "alpha", "http", "http://127.0.0.1:1/mcp", 1, False, False, 5.0, 1 << 20)
        return Manifest(
            format=FORMAT,
            platform="test",
            revision=revision,
            created=0.0,
            keys=[self.put(each) for each in buckets],
            principals=[self.put([PrincipalRow("prn_a", "ana", "person", "default", ("member",))])],
            roles=self.put([MEMBER]),
            upstreams=self.put([upstream]),
            issuers=self.put([]),
            limits=self.put([]),
            tools={"srv_a": self._shards(tools)},
            prompts={"srv_a": self._shards(prompts)},
            resources={"srv_a": self._shards(resources)},
            templates={"srv_a": self._shards(templates)},
        )

    def _shards(self, rows: Sequence[object]) -> list[bytes]:
        return [self.put(list(rows[at : at + 64])) for at in range(0, len(rows), 64)]

    def sign(self, manifest: Manifest) -> bytes:
        signed = sign_manifest(manifest, SIGNER)
        self.shelf.write_manifest(signed)
        return signed
