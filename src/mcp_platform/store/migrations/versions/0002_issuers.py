"""Trusted issuers of tokens, whom their subjects are, and what is revoked."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "issuers",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("keys_url", sa.Text(), nullable=True),
        sa.Column("authority", sa.Text(), nullable=True),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("keys_at", sa.Float(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuers")),
        sa.UniqueConstraint("name", name=op.f("uq_issuers_name")),
        sa.UniqueConstraint("url", name=op.f("uq_issuers_url")),
    )
    op.create_table(
        "issuer_links",
        sa.Column("issuer_id", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("principal_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issuer_id"], ["issuers.id"], name=op.f("fk_issuer_links_issuer_id_issuers"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["principals.id"], name=op.f("fk_issuer_links_principal_id_principals")
        ),
        sa.PrimaryKeyConstraint("issuer_id", "subject", name=op.f("pk_issuer_links")),
    )
    op.create_index(op.f("ix_issuer_links_principal_id"), "issuer_links", ["principal_id"], unique=False)
    op.create_table(
        "token_revocations",
        sa.Column("issuer_id", sa.String(length=32), nullable=False),
        sa.Column("claim", sa.String(length=3), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("revoked_at", sa.Float(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["issuer_id"], ["issuers.id"], name=op.f("fk_token_revocations_issuer_id_issuers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("issuer_id", "claim", "value", name=op.f("pk_token_revocations")),
    )


def downgrade() -> None:
    for table in ("token_revocations", "issuer_links", "issuers"):
        op.drop_table(table)
