"""Sessions and messages become those of rag_events

Revision ID: 002_rag_events
Revises: 001_initial_schema
"""

from alembic import op

revision = "002_rag_events"
down_revision = "001_initial_schema"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("CREATE EXTENSION rag_events VERSION '001_initial_schema'")
    op.execute("ALTER EXTENSION rag_events UPDATE TO '1.0'")


def downgrade():
    op.execute("ALTER EXTENSION rag_events UPDATE TO '1.0'")
    op.execute("ALTER EXTENSION rag_events DROP TABLE sessions")
    op.execute("ALTER EXTENSION rag_events DROP TABLE messages")
    op.execute("ALTER EXTENSION rag_events DROP SEQUENCE messages_id_seq")
    op.execute("DROP EXTENSION rag_events")
