"""Any kind of model: answers that are longer than a class's name, and answers without a confidence."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
TABLE = "prediction_log"
CHANGES = {
    "confidence DOUBLE NOT NULL": "confidence DOUBLE",
    "prediction VARCHAR(128) NOT NULL": "prediction TEXT NOT NULL",
}
"""In the words of the first migration."""


def upgrade() -> None:
    """
    Let `prediction` be as long as it is, and `confidence` be null.

    A table of that name that is somebody else's is left alone; the app then says so.
    """
    connection = op.get_bind()
    if not {"prediction", "confidence"} <= {found["name"] for found in sa.inspect(connection).get_columns(TABLE)}:
        return
    if connection.dialect.name == "sqlite":
        _change_in_place(connection)
        return
    with op.batch_alter_table(TABLE) as table:
        table.alter_column("prediction", existing_type=sa.String(128), type_=sa.Text, existing_nullable=False)
        table.alter_column("confidence", existing_type=sa.Double, nullable=True)


def downgrade() -> None:
    """Go back, which fails where an answer does not fit; SQLite copies the table."""
    with op.batch_alter_table(TABLE) as table:
        table.alter_column("prediction", existing_type=sa.Text, type_=sa.String(128), existing_nullable=False)
        table.alter_column("confidence", existing_type=sa.Double, nullable=False)


def _change_in_place(connection: sa.Connection) -> None:
    """
    Change what SQLite says of the table, and no row: to copy a log of years takes longer than a statement may.

    Source: sqlite.org/lang_altertable.html, "Making Other Kinds Of Table
    Schema Changes", the procedure for changes that do not affect the content on disk, such as removing NOT NULL.
    """
    (version,) = connection.execute(sa.text("PRAGMA schema_version")).one()
    connection.execute(sa.text("PRAGMA writable_schema=ON"))
    changed = sa.text("UPDATE sqlite_schema SET sql = replace(sql, :before, :after) WHERE type='table' AND name=:table")
    for before, after in CHANGES.items():
        connection.execute(changed, {"before": before, "after": after, "table": TABLE})
    connection.execute(sa.text(f"PRAGMA schema_version={version + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema=OFF"))
