"""The one MetaData that every feature declares its tables on. Constraints have fixed names, so migrations find them."""

from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, String, Table

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

PLATFORM = Table(
    "platform",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1: there is one platform in a database
    Column("platform_id", String(64), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", Float, nullable=False),
)
