"""Changes of inputs of calculated tags whose results are still to be computed again, what the swinging door did to each tag, and how far retention went."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE input_change (tag_id integer NOT NULL, start_time bigint NOT NULL, end_time bigint NOT NULL, by_hand boolean NOT NULL, "
        "PRIMARY KEY (tag_id, start_time))"
    )
    op.execute("CREATE TABLE compression (tag_id integer PRIMARY KEY, raw bigint NOT NULL, kept bigint NOT NULL, worst_error double precision NOT NULL)")
    op.execute("CREATE TABLE retention (kept_from bigint NOT NULL)")
    op.execute(f"INSERT INTO retention VALUES ({-(2**63)})")
