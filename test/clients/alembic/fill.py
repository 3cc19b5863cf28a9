"""Fills the application's tables through its SQLAlchemy models.

Runs in the folder of the project, on the database of PGDATABASE and PGUSER.
"""

import sys
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import Session as OrmSession

sys.path.insert(0, str(Path.cwd()))

from app.models.conversation import Message, Session  # noqa: E402
from harness import conversations  # noqa: E402


def fill(copies=40):
    engine = create_engine("postgresql+psycopg2://")
    with OrmSession(engine) as orm:
        for copy in range(copies):
            for talk in conversations():
                session = Session(user_id=talk.get("user_id"), details=talk.get("metadata"))
                session.messages = [
                    Message(
                        role=message["role"],
                        content=message["content"],
                        sources=message.get("sources"),
                        latency_ms=message.get("latency_ms"),
                        top_k=message.get("top_k"),
                        query_type=message.get("query_type"),
                    )
                    for message in talk["messages"]
                ]
                orm.add(session)
            # Ids that are missing, as in any table that has been used for a while.
            if copy % 10 == 3:
                orm.flush()
                orm.delete(session)
        orm.commit()
    engine.dispose()


fill()
