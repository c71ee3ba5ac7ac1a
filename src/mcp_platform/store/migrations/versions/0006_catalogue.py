"""Prompts, resources and templates beside tools; what servers say of themselves; tools that await approval."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_MEMBER = '["*/*"]'
_MEMBER_NOW = '["*/*","prompts:*/*","resources:*/*"]'
"""What the built-in role allows: it is everything, and there is more of it now."""


def _of_upstreams() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("sse", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()),
        sa.Column("capabilities", sa.LargeBinary(), nullable=True),
        sa.Column("server_info", sa.LargeBinary(), nullable=True),
        sa.Column("instructions", sa.Text(), nullable=False, server_default=""),
        sa.Column("listing_hash", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("problems", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("accept_changes", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()),
        sa.Column("stale", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("stale_at", sa.Float(), nullable=True),
    )


def _of_tools() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("seen_definition", sa.LargeBinary(), nullable=True),
        sa.Column("seen_hash", sa.String(length=64), nullable=True),
        sa.Column("seen_schema", sa.LargeBinary(), nullable=True),
        sa.Column("seen_skipped", sa.Text(), nullable=True),
        sa.Column("gone_at", sa.Float(), nullable=True),
    )


def upgrade() -> None:
    for column in _of_upstreams():
        op.add_column("upstreams", column)
    for column in _of_tools():
        op.add_column("upstream_tools", column)
    op.create_table(
        "upstream_items",
        sa.Column("upstream_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("own", sa.Text(), nullable=False),
        sa.Column("exposed", sa.Text(), nullable=True),
        sa.Column("skipped", sa.Text(), nullable=True),
        sa.Column("definition", sa.LargeBinary(), nullable=False),
        sa.Column("definition_hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("kind IN ('prompts', 'resources', 'templates')", name=op.f("ck_upstream_items_kind")),
        sa.ForeignKeyConstraint(
            ["upstream_id"], ["upstreams.id"], name=op.f("fk_upstream_items_upstream_id_upstreams"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("upstream_id", "kind", "own", name=op.f("pk_upstream_items")),
    )
    op.create_table(
        "exposed_prompts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("server_name", sa.String(length=32), nullable=False),
        sa.Column("prompt_name", sa.Text(), nullable=False),
        sa.Column("assigned_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_exposed_prompts")),
        sa.UniqueConstraint("server_name", "prompt_name", name=op.f("uq_exposed_prompts_server_name")),
    )
    op.create_table(
        "exposed_uris",
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("server_name", sa.String(length=32), nullable=False),
        sa.Column("assigned_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("uri", name=op.f("pk_exposed_uris")),
    )
    op.create_index(op.f("ix_exposed_uris_server_name"), "exposed_uris", ["server_name"], unique=False)
    _change_member(_MEMBER, _MEMBER_NOW)


def downgrade() -> None:
    _change_member(_MEMBER_NOW, _MEMBER)
    for table in ("exposed_uris", "exposed_prompts", "upstream_items"):
        op.drop_table(table)
    for column in _of_tools():
        op.drop_column("upstream_tools", column.name)
    for column in _of_upstreams():
        op.drop_column("upstreams", column.name)


def _change_member(before: str, after: str) -> None:
    roles = sa.table("roles", sa.column("name"), sa.column("rules"), sa.column("built_in"))
    op.execute(
        roles.update().where(roles.c.name == "member", roles.c.built_in, roles.c.rules == before).values(rules=after)
    )
