"""Changes of inputs of calculated tags whose results are still to be computed again, and what the swinging door did to each tag."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE input_change (tag_id integer NOT NULL, start_time bigint NOT NULL, end_time bigint NOT NULL, by_hand boolean NOT NULL, "
        "PRIMARY KEY (tag_id, start_time))"
    )
    op.execute("CREATE TABLE compression (tag_id integer PRIMARY KEY, raw bigint NOT NULL, kept bigint NOT NULL, worst_error double precision NOT NULL)")
