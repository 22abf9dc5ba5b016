"""Any kind of model: answers that are longer than a class's name, and answers without a confidence."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
TABLE = "prediction_log"


def upgrade() -> None:
    """
    Let `prediction` be as long as it is, and `confidence` be null; SQLite gets a new table with the rows.

    A table of that name that is somebody else's is left alone; the app then says so.
    """
    if not {"prediction", "confidence"} <= {found["name"] for found in sa.inspect(op.get_bind()).get_columns(TABLE)}:
        return
    with op.batch_alter_table(TABLE) as table:
        table.alter_column("prediction", existing_type=sa.String(128), type_=sa.Text, existing_nullable=False)
        table.alter_column("confidence", existing_type=sa.Double, nullable=True)


def downgrade() -> None:
    """Go back, which fails where an answer does not fit."""
    with op.batch_alter_table(TABLE) as table:
        table.alter_column("prediction", existing_type=sa.Text, type_=sa.String(128), existing_nullable=False)
        table.alter_column("confidence", existing_type=sa.Double, nullable=False)
