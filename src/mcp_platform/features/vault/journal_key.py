"""The key that signs the journal's checkpoints and recoveries: control's alone, made with the platform or when first
needed. Its public half, DATA/keys/journal.pub, is what an auditor verifies with; keep a copy elsewhere.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mcp_platform.base.errors import Fault
from mcp_platform.base.folder import DataFolder, write_private
from mcp_platform.features.vault.check import seal, unseal
from mcp_platform.features.vault.errors import KEYS_MISSING
from mcp_platform.features.vault.keys import kek_path, purpose, read_kek
from mcp_platform.features.vault.model import read_platform

_NAME = "journal"


def open_journal_key(data: DataFolder, kek_file: str | None) -> Ed25519PrivateKey:
    """The private key, made if the platform has none. One that is lost is not replaced silently: its public half
    standing alone is a fault. Raises Fault(keys_missing | kek_unusable | vault_unseal_failed)."""
    platform_id = read_platform(data).platform_id
    kek = read_kek(kek_path(platform_id, kek_file))
    sealed, public = data.keys / f"{_NAME}.sealed", data.keys / f"{_NAME}.pub"
    if sealed.exists():
        private = Ed25519PrivateKey.from_private_bytes(unseal(kek, sealed.read_bytes(), purpose(platform_id, _NAME)))
    elif public.exists():
        raise Fault(KEYS_MISSING)
    else:
        private = Ed25519PrivateKey.generate()
        raw = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        write_private(sealed, seal(kek, raw, purpose(platform_id, _NAME)))
    if not public.exists():
        write_private(public, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    return private
