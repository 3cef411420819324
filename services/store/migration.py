"""Bringing a database to this program's schema, and refusing one that is a newer program's.

Each kind of database has a folder ``migrations/`` of Alembic scripts in a straight line; the table ``alembic_version`` in the database says how far it is.
The first script makes the schema as it was before there were scripts, and leaves alone what is there already.
"""

from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from plant.errors import ConfigurationError, Problem


def upgrade(connection: Connection, scripts: Path, name: str) -> bool:
    """Runs the scripts that the database has not had, in the caller's transaction; whether there were any. ``name`` is the database's, for errors.

    Raises:
        ConfigurationError: the schema is one that no script here knows: a newer program's.
    """
    config = Config()
    config.set_main_option("script_location", str(scripts))
    directory = ScriptDirectory.from_config(config)
    context = MigrationContext.configure(connection)
    current = context.get_current_revision()
    known = [script.revision for script in directory.walk_revisions()]  # newest first
    if current is not None and current not in known:
        mend = "start the program that last wrote it, or a newer one; to go back, restore a backup made before it was upgraded"
        raise ConfigurationError([Problem(name, None, None, f"the schema is {current!r}, this program knows it up to {known[0]!r}", mend)])
    due = known if current is None else known[: known.index(current)]
    for revision in reversed(due):
        script = directory.get_revision(revision)
        with Operations.context(context):
            script.module.upgrade()
        context.stamp(directory, revision)
    return bool(due)
