"""Limits, and the two that every platform begins with (docs/how-to/set-a-rate-limit.md says why these)."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    limits = op.create_table(
        "limits",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=16), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("period_s", sa.Float(), nullable=False),
        sa.Column("burst", sa.Integer(), nullable=False),
        sa.Column("endpoint", sa.String(length=64), nullable=False),
        sa.Column("tool", sa.Text(), nullable=True),
        sa.Column("principal_id", sa.String(length=32), nullable=True),
        sa.Column("shadow", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principals.id"], name=op.f("fk_limits_principal_id_principals"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_limits")),
    )
    begins_with = [
        ("failed-authentication", "address", 300, 60.0, 300, "/mcp"),
        ("each-principal", "principal", 1000, 1.0, 10_000, "*"),
    ]
    columns = ("name", "subject", "count", "period_s", "burst", "endpoint")
    now = time.time()
    op.bulk_insert(
        limits, [{**dict(zip(columns, row, strict=True)), "shadow": False, "created_at": now} for row in begins_with]
    )


def downgrade() -> None:
    op.drop_table("limits")
