"""Changes of the prediction log's table, in order; run by Alembic."""
