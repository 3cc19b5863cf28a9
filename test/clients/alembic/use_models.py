"""Uses the application's models as the application does, and checks the results.

Runs in the folder of the project, on the database of PGDATABASE and PGUSER.
Prints the contents of the last session's messages that it found, and adds to it.
"""

import sys
import uuid
from pathlib import Path

from sqlalchemy import create_engine, exc, func, select
from sqlalchemy.orm import Session as OrmSession

sys.path.insert(0, str(Path.cwd()))

from app.models.conversation import Message, Session  # noqa: E402

engine = create_engine("postgresql+psycopg2://")


def insert():
    """Ids and defaults come from the database, a conversation at once."""
    with OrmSession(engine) as orm:
        session = Session(user_id="ada", details={"title": "Opening hours"})
        session.messages.append(Message(role="user", content="When do you open?"))
        orm.add(session)
        orm.flush()
        first = session.messages[0]
        assert isinstance(session.id, uuid.UUID) and isinstance(first.id, int)
        assert session.created_at == session.updated_at == first.created_at
        last = orm.scalar(select(func.max(Message.id)))
        session.messages.append(
            Message(
                role="assistant",
                content="At nine.",
                sources=[{"title": "Hours", "score": 0.87}],
                latency_ms=412.5,
                top_k=5,
                query_type="semantic",
            )
        )
        orm.commit()
        assert session.messages[1].id > last >= first.id
        return session.id


def read(session_id):
    with OrmSession(engine) as orm:
        session = orm.get(Session, session_id)
        assert session.details == {"title": "Opening hours"}, session.details
        question, answer = session.messages
        assert (question.role, question.content) == ("user", "When do you open?")
        assert question.sources is None and question.top_k is None
        assert answer.sources == [{"title": "Hours", "score": 0.87}], answer.sources
        assert (answer.latency_ms, answer.top_k) == (412.5, 5)
        assert answer.query_type == "semantic" and answer.session is session

        counts = orm.execute(
            select(Session.user_id, func.count(Message.id))
            .join(Message)
            .where(Session.details["title"].astext == "Opening hours", Session.id == session_id)
            .group_by(Session.user_id)
        ).all()
        assert counts == [("ada", 2)], counts


def change(session_id):
    with OrmSession(engine) as orm:
        session = orm.get(Session, session_id)
        before = session.updated_at
        session.details = {**session.details, "pinned": True}
        session.messages[1].content = "At nine, on Sundays at ten."
        orm.commit()
        assert session.updated_at > before
        assert session.details["pinned"] is True

        session.messages.pop()  # an orphan, which the ORM deletes
        orm.commit()
        assert [message.role for message in session.messages] == ["user"]


def refuse(session_id):
    for constraint, values in {
        "ck_messages_role": dict(session_id=session_id, role="system", content="x"),
        "messages_session_id_fkey": dict(session_id=uuid.uuid4(), role="user", content="x"),
    }.items():
        with OrmSession(engine) as orm:
            orm.add(Message(**values))
            try:
                orm.commit()
            except exc.IntegrityError as error:
                assert error.orig.diag.constraint_name == constraint, error
            else:
                raise AssertionError(constraint)
    with OrmSession(engine) as orm:
        orm.add(Message(session_id=session_id, role="user", content=None))
        try:
            orm.commit()
        except exc.IntegrityError as error:
            assert error.orig.diag.column_name == "content", error
        else:
            raise AssertionError("content may be null")


def delete(session_id):
    """The ORM's cascade deletes messages one by one, the database's by itself."""
    with OrmSession(engine) as orm:
        other = Session(messages=[Message(role="user", content="left to the database")])
        orm.add(other)
        orm.commit()
        other_id = other.id
        orm.execute(Session.__table__.delete().where(Session.__table__.c.id == other_id))
        orm.delete(orm.get(Session, session_id))
        orm.commit()
        orphans = select(func.count()).where(Message.session_id.in_([session_id, other_id]))
        assert orm.scalar(orphans) == 0


def answer_last_session():
    with OrmSession(engine) as orm:
        session = orm.scalars(
            select(Session).where(Session.user_id == "both").limit(1)
        ).first()
        if session is not None:
            print("\n".join(message.content for message in session.messages))
            session.messages.append(Message(role="assistant", content="from the models"))
            orm.commit()


new = insert()
read(new)
change(new)
refuse(new)
delete(new)
answer_last_session()
engine.dispose()
