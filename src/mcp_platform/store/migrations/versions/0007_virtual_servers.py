"""Virtual servers and what was chosen for each."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "virtual_servers",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("instructions", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("tool_search", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("enabled", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_virtual_servers")),
        sa.UniqueConstraint("name", name=op.f("uq_virtual_servers_name")),
    )
    op.create_table(
        "virtual_items",
        sa.Column("virtual_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("server_name", sa.String(length=32), nullable=False),
        sa.Column("own", sa.Text(), nullable=False),
        sa.Column("exposed", sa.String(length=64), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('tools', 'prompts', 'resources', 'templates')", name=op.f("ck_virtual_items_kind")
        ),
        sa.ForeignKeyConstraint(
            ["virtual_id"],
            ["virtual_servers.id"],
            name=op.f("fk_virtual_items_virtual_id_virtual_servers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("virtual_id", "kind", "server_name", "own", name=op.f("pk_virtual_items")),
        sa.UniqueConstraint("virtual_id", "kind", "exposed", name=op.f("uq_virtual_items_virtual_id")),
    )


def downgrade() -> None:
    op.drop_table("virtual_items")
    op.drop_table("virtual_servers")
