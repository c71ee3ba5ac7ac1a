"""Admin tokens, and where a request to control came from."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "admin_tokens",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("agent", sa.String(length=64), nullable=False),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("not_after", sa.Float(), nullable=False),
        sa.Column("revoked_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admin_tokens")),
    )
    op.add_column("audit_log", sa.Column("agent", sa.String(length=64), nullable=True))
    op.add_column("audit_log", sa.Column("address", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Rows of the log that say where a request came from no longer fit their hash: the older form cannot say it."""
    op.drop_column("audit_log", "address")
    op.drop_column("audit_log", "agent")
    op.drop_table("admin_tokens")
