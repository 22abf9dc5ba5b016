"""Alembic's entry: run the migrations on the connection that `Database.migrate` passes."""

from alembic import context

from interlock.serving.prediction_log.database import VERSIONS
from interlock.serving.prediction_log.table import PREDICTIONS

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=PREDICTIONS.metadata,
    version_table=VERSIONS,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
