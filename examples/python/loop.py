"""One turn of a conversation with psycopg 3, from the question to the stored answer."""

import time

import psycopg
from psycopg.types.json import Jsonb

HTTP_STATUS = {"23503": 404, "23514": 422}  # no such session of this user; not a role


def http_status(error):
    # A foreign key of your own, such as that of a table of ratings, is not a session that is missing.
    if error.sqlstate == "23503" and error.diag.constraint_name not in (None, "messages_session_id_fkey"):
        return 409
    return HTTP_STATUS.get(error.sqlstate, 500)


def ask_model(question):  # your retrieval and your model
    return "A single ticket is valid for 75 minutes.", [{"document_id": "tariff-04", "score": 0.91}]


def turn(conn, user_id, session_id, question, role="user"):
    try:
        conn.execute("SELECT rag_add_message(%s, %s, %s, user_id => %s)", (session_id, role, question, user_id))
        # Autocommit: the question is safe, and nothing is locked while the model thinks.
        start = time.monotonic()
        answer, sources = ask_model(question)
        conn.execute(
            "SELECT rag_add_message(%s, 'assistant', %s, sources => %s, latency_ms => %s, top_k => %s, user_id => %s)",
            (session_id, answer, Jsonb(sources), (time.monotonic() - start) * 1000, 5, user_id),
        )
        return 200, answer
    except psycopg.Error as error:
        if http_status(error) == 500:
            raise
        return http_status(error), error.diag.message_primary


with psycopg.connect(autocommit=True) as conn:  # PGHOST, PGDATABASE …
    (session_id,) = conn.execute(
        "SELECT rag_create_session(user_id => %s, metadata => %s)", ("maya", Jsonb({"collection": "trams"}))
    ).fetchone()
    print(*turn(conn, "maya", session_id, "How long is a ticket valid?"))
    print(*turn(conn, "eve", session_id, "What did she ask?"))
    print(*turn(conn, "maya", session_id, "Hello!", role="human"))
