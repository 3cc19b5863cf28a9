"""Runs the revisions, and leaves alone what belongs to an extension."""

from logging.config import fileConfig

from alembic import context
from sqlalchemy import engine_from_config, pool, text

from app.models import Base

config = context.config
fileConfig(config.config_file_name)
target_metadata = Base.metadata


def extension_tables(connection):
    """(schema, name) of each table that an extension owns, as SQLAlchemy names it."""
    return set(
        connection.execute(
            text(
                """
                SELECT nullif(n.nspname, current_schema()), c.relname
                FROM pg_depend d
                JOIN pg_class c ON c.oid = d.objid
                JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE d.classid = 'pg_class'::regclass
                  AND d.refclassid = 'pg_extension'::regclass
                  AND d.deptype = 'e'
                """
            )
        ).fetchall()
    )


def run_migrations_offline():
    context.configure(
        url=config.get_main_option("sqlalchemy.url"),
        target_metadata=target_metadata,
        literal_binds=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online():
    engine = engine_from_config(
        config.get_section(config.config_ini_section),
        prefix="sqlalchemy.",
        poolclass=pool.NullPool,
    )
    with engine.begin() as connection:
        theirs = extension_tables(connection)

        def include_object(object, name, type_, reflected, compare_to):
            return type_ != "table" or (object.schema, name) not in theirs

        context.configure(
            connection=connection,
            target_metadata=target_metadata,
            include_object=include_object,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
