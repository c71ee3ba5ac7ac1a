"""What workers (or control) and the upstream-host say to each other: many calls at once over one framed connection.

No command, environment or secret travels here: the host asks the broker for them, so a worker can start nothing of
its own choosing.
"""

import msgspec

from mcp_platform.base.errors import INTERNAL, Fault, catalogue
from mcp_platform.net.transports.model import Answer, Call, Target, Wanted


class Begin(msgspec.Struct, tag="begin"):
    """Make this call; `id` is the asker's, unique on the connection."""

    id: int
    target: Target
    call: Call


class Probe(msgspec.Struct, tag="probe"):
    """Start the server if it is not running, and say what it is."""

    id: int
    target: Target
    timeout_s: float
    owner: str | None = None
    capabilities: bytes = b"{}"


class Cancel(msgspec.Struct, tag="cancel"):
    """Nobody waits for this call any more."""

    id: int


class Replied(msgspec.Struct, tag="replied"):
    """The client's answer to question `ask` of call `id`."""

    id: int
    ask: int
    answer: Answer


class Forget(msgspec.Struct, tag="forget"):
    """The server was removed: stop what runs of it."""

    upstream: str


class Listen(msgspec.Struct, tag="listen"):
    """Open an ear, until `Cancel` or `Failed`."""

    id: int
    target: Target
    owner: str | None
    capabilities: bytes
    client_info: bytes | None
    wanted: Wanted


class Want(msgspec.Struct, tag="want"):
    """The ear `id` wants something else; `turn` comes back in the answer."""

    id: int
    turn: int
    wanted: Wanted


class Tell(msgspec.Struct, tag="tell"):
    """A notification of a client to the process that is its own, where one runs."""

    target: Target
    owner: str
    capabilities: bytes
    method: str
    params: bytes


ToHost = Begin | Probe | Cancel | Replied | Forget | Listen | Want | Tell


class Done(msgspec.Struct, tag="done"):
    """The call's answer."""

    id: int
    answer: Answer


class Probed(msgspec.Struct, tag="probed"):
    """What the server is."""

    id: int
    era: str
    version: str
    server_info: bytes
    capabilities: bytes
    instructions: str = ""


class Failed(msgspec.Struct, tag="failed"):
    """The call failed, or the ear is broken; a Fault, as it crosses processes."""

    id: int
    code: str
    detail: str | None
    data: dict[str, str | int | float | None]
    retry_after_s: float | None


class Said(msgspec.Struct, tag="said"):
    """A notification of the server about the call."""

    id: int
    method: str
    params: bytes


class Asked(msgspec.Struct, tag="asked"):
    """A request of the server to the call's client."""

    id: int
    ask: int
    method: str
    params: bytes


class Withdrawn(msgspec.Struct, tag="withdrawn"):
    """The server no longer wants an answer to question `ask`."""

    id: int
    ask: int


class Honoured(msgspec.Struct, tag="honoured"):
    """The ear `id` is open, or hears what the `Want` of this turn asked for."""

    id: int
    turn: int
    honoured: Wanted


class Unheard(msgspec.Struct, tag="unheard"):
    """The `Want` of this turn failed; what was wanted before still is."""

    id: int
    turn: int
    code: str
    detail: str | None
    retry_after_s: float | None


class Heard(msgspec.Struct, tag="heard"):
    """A notification for the ear `id`."""

    id: int
    method: str
    params: bytes


class Missed(msgspec.Struct, tag="missed"):
    """The ear `id` may have missed something."""

    id: int


class Ended(msgspec.Struct, tag="ended"):
    """The server ended what the ear `id` listened to, in an orderly way."""

    id: int


class Changed(msgspec.Struct, tag="changed"):
    """A server said that a list of its changed; told to everybody who is connected."""

    upstream: str
    method: str
    id: int = 0
    """Of no call."""


ForEars = Honoured | Unheard | Heard | Missed | Ended
FromHost = Done | Probed | Failed | Said | Asked | Withdrawn | Honoured | Unheard | Heard | Missed | Ended | Changed


def pack(identity: int, fault: Fault) -> Failed:
    data = {key: value for key, value in fault.data.items() if isinstance(value, str | int | float)}
    return Failed(identity, fault.kind.code, fault.detail, dict(data), fault.retry_after_s)


def unpack(failed: Failed) -> Fault:
    kind = catalogue().get(failed.code, INTERNAL)
    return Fault(kind, failed.detail, dict(failed.data), failed.retry_after_s)
