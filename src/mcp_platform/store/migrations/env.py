"""Alembic's entry, run by store/migrate.py on the connection that it hands over; there is no ini file."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,  # SQLite and PostgreSQL both roll back DDL; our BEGIN is an explicit one
    render_as_batch=True,
)
context.run_migrations()
