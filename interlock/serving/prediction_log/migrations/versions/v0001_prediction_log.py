"""
The table of predictions.

Each step is skipped when it is done already: MariaDB has no transaction around CREATE TABLE and can stop half-way.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table and its indices, as far as they are missing."""
    op.create_table(
        "prediction_log",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("customer_id", sa.String(128)),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("alias", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("features", sa.JSON, nullable=False),
        sa.Column("prediction", sa.String(128), nullable=False),
        sa.Column("confidence", sa.Double, nullable=False),
        sa.Column("elapsed_ms", sa.Double, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        if_not_exists=True,
    )
    for column in ("customer_id", "created_at"):
        op.create_index(f"ix_prediction_log_{column}", "prediction_log", [column], if_not_exists=True)


def downgrade() -> None:
    """Drop the table, with every row."""
    op.drop_table("prediction_log")
