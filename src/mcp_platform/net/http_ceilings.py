"""Ceilings of the HTTP server that no setting names, each with its unit, reason and precedent.

What an operator may want to change stands in `base.config.settings.Http`; what only protects us stands here.
"""

MAX_AHEAD_BYTES = 64 * 1024
"""Bytes of further requests kept while one is handled; above it the socket is not read (TCP slows the sender down).
One largest head (8 + 32 KiB) and some body fit. Precedent: Node's and uvicorn's high-water mark, 64 KiB."""

MAX_BURST = 16
"""Requests of one connection answered in one pass of the loop, so that 9,000 pipelined ones in one read (256 KB)
do not hold it: 16 of them take about 1 ms. Precedent: HAProxy's tune.maxpollevents works to the same end."""

MAX_CHUNKS = 8192
"""Chunks in one request body. Each costs about 1 µs of the loop, so one body costs at most some 10 ms whatever its
sender does. 4 MiB fit in chunks of 512 bytes. Precedent: Go bounds the overhead of chunks too
(CVE-2023-39326)."""

MAX_HELD_BYTES = 256 * 1024 * 1024
"""Bytes of request bodies that one process holds unfinished, over all connections: without it, 8,192 connections with
4 MiB each would be 32 GiB. Above it a body is refused with 503."""

LINGER_S = 5.0
"""Seconds a refused sender may go on sending before it is cut. Precedent: nginx lingering_time, 30 s."""

LINGER_SILENCE_S = 1.0
"""Seconds without a byte after which a refused sender has stopped, so that closing resets nothing. Precedent: nginx
lingering_timeout, 5 s; ours is shorter because its connection counts against the ceilings."""

MAX_LINGER_BYTES = 64 * 1024 * 1024
"""Bytes read and thrown away from a refused sender, so that it can read the refusal after sending (closing at once
would reset the connection under it). 64 MiB cost about 30 ms in reads of 256 KB. Precedent: nginx bounds it by 30 s."""

MAX_REFUSING = 64
"""Connections over the limit that are being told so at one time; more are closed without a word, because each still
holds a file descriptor."""

ACCEPTS_PER_WAKE = 8
"""Connections accepted in one wake-up, so that a flood of them leaves the loop to those that are served.
Precedent: nginx multi_accept is off (1); uvloop's default drains the backlog."""

SHARE_SLACK = 4
"""Connections a worker may hold above its equal share before it leaves new ones to the others."""

SHARE_PAUSE_S = 0.05
"""Seconds a worker above its share leaves a new connection to the others. After that it takes one, so that a worker
that hangs delays a connection by this and does not strand it."""

NO_DESCRIPTORS_PAUSE_S = 0.25
"""Seconds without accepting after the system ran out of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM)."""

KEEPALIVE_IDLE_S = 60
"""Seconds of silence after which TCP asks whether the peer still is there; it matters for streams that wait for hours.
Three unanswered probes 20 s apart end the connection. Linux's own default is two hours."""
