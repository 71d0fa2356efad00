"""Alembic's entry: runs the migrations on the engine it is handed."""

from typing import Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from engine.store.tables import Instant, metadata

engine = context.config.attributes["engine"]


def render_item(kind: str, item: object, _context: AutogenContext) -> str | Literal[False]:
    """A migration names plain column types only: it must run the same when this package has moved on."""
    return "sa.BigInteger()" if kind == "type" and isinstance(item, Instant) else False


with engine.connect().execution_options(writes=True) as connection:
    context.configure(connection=connection, target_metadata=metadata, render_item=render_item)
    with context.begin_transaction():
        context.run_migrations()
