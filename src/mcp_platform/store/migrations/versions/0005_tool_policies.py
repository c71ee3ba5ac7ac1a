"""What an administrator says of single tools."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "tool_policies",
        sa.Column("server_name", sa.String(length=32), nullable=False),
        sa.Column("tool_name", sa.Text(), nullable=False),
        sa.Column("read_only", sa.Boolean(create_constraint=False), nullable=False),
        sa.PrimaryKeyConstraint("server_name", "tool_name", name=op.f("pk_tool_policies")),
    )


def downgrade() -> None:
    op.drop_table("tool_policies")
