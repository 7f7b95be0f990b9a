"""Runs the migrations over the connection that `liuti.store.migrate` has opened, locked and bounded in time."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # SQLite cannot alter a column in place: batch mode copies the table.
    render_as_batch=context.config.attributes["connection"].dialect.name == "sqlite",
    # Alembic takes SQLite's DDL for something outside transactions; here BEGIN is said before it, and it is inside.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
