"""Changes of inputs of calculated tags whose results are still to be computed again, what the swinging door did to each tag, and how far retention went."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE input_change (tag_id INTEGER NOT NULL, start_time BIGINT NOT NULL, end_time BIGINT NOT NULL, by_hand BOOLEAN NOT NULL, "
        "PRIMARY KEY (tag_id, start_time))"
    )
    op.execute("CREATE TABLE compression (tag_id INTEGER PRIMARY KEY, raw BIGINT NOT NULL, kept BIGINT NOT NULL, worst_error FLOAT NOT NULL)")
    op.execute("CREATE TABLE retention (kept_from BIGINT NOT NULL)")
    op.execute(f"INSERT INTO retention VALUES ({-(2**63)})")
