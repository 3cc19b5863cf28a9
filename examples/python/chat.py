"""A chat with psycopg 3: each line of the input is a question, and the answer appears as it is written.

    python3 chat.py maya             # a new session of the user maya
    python3 chat.py maya SESSION     # goes on with one of hers

/again replaces the last answer by another one, and /list shows the user's sessions.
PGHOST, PGDATABASE … lead to a database with the extension.
"""

import re
import sys
import time
import uuid

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

HTTP_STATUS = {"22P02": 400, "23503": 404, "23505": 409, "22004": 422, "22023": 422, "23514": 422}


def http_status(error):
    # A foreign key of your own, such as that of a table of ratings, is not a session that is missing.
    if error.sqlstate == "23503" and error.diag.constraint_name not in (None, "messages_session_id_fkey"):
        return 409
    return HTTP_STATUS.get(error.sqlstate, 500)
MAX_TOKENS = 3000  # what the conversation may take of the model's context window
PIECES = 5  # an answer is saved each time that so many have come


def retrieve(question):  # your search
    return [{"document_id": "tariff-04", "score": 0.91, "text": "A single ticket is valid for 75 minutes."}]


def ask_model(prompt, sources):  # your model, which yields its answer piece by piece
    asked = sum(message["role"] == "user" for message in prompt)
    yield from re.findall(r"\S+ ?", f"Answer {asked}: {sources[0]['text']}")


def build_prompt(conn, user_id, session_id):
    """The session's system prompt, and as many of the newest messages as fit."""
    session = conn.execute(
        "SELECT metadata->>'system_prompt' AS prompt FROM sessions WHERE id = %s AND user_id = %s", (session_id, user_id)
    ).fetchone()
    messages = conn.execute(
        "SELECT role, content FROM rag_get_context(%s, max_tokens => %s, user_id => %s)",
        (session_id, MAX_TOKENS, user_id),
    ).fetchall()
    return [{"role": "system", "content": session["prompt"]}, *messages]


def write_answer(conn, user_id, session_id):
    """Yields the pieces of an answer to what was asked last. Meanwhile others read what there is of it."""
    prompt = build_prompt(conn, user_id, session_id)
    sources = retrieve(prompt[-1]["content"])
    answer_id = conn.execute(
        "SELECT rag_add_message(%s, 'assistant', '', metadata => %s, user_id => %s) AS id",
        (session_id, Jsonb({"status": "streaming", "model": "m-1"}), user_id),
    ).fetchone()["id"]
    text, status, start = "", "failed", time.monotonic()
    try:
        for n, piece in enumerate(ask_model(prompt, sources), start=1):
            text += piece
            yield piece
            if n % PIECES == 0:
                conn.execute(
                    "SELECT rag_update_message(%s, %s, content => %s, user_id => %s)",
                    (session_id, answer_id, text, user_id),
                )
        status = "done"
    finally:  # also when the model fails, or the user stops it
        conn.execute(
            """SELECT rag_update_message(%s, %s, content => %s, sources => %s, latency_ms => %s,
                                         metadata => %s, user_id => %s)""",
            (session_id, answer_id, text, Jsonb(sources), (time.monotonic() - start) * 1000)
            + (Jsonb({"status": status}), user_id),  # merged into what is there: the model stays
        )


def ask(conn, user_id, session_id, question, request_id):
    """Stores a question and yields the pieces of its answer. A request that is sent again is not answered again."""
    question_id = conn.execute(
        "SELECT rag_add_message(%s, 'user', %s, user_id => %s, idempotency_key => %s) AS id",
        (session_id, question, user_id, request_id),
    ).fetchone()["id"]
    # Autocommit: the question is safe now, and nothing is locked while the model works.
    answer = conn.execute(
        "SELECT content FROM rag_get_messages_after(%s, %s, max_messages => 1, user_id => %s)",
        (session_id, question_id, user_id),
    ).fetchone()
    if answer:
        yield answer["content"]
    else:
        yield from write_answer(conn, user_id, session_id)


def again(conn, user_id, session_id):
    """Deletes the last answer and yields the pieces of another one."""
    last = conn.execute(
        "SELECT id, role FROM rag_get_messages(%s, max_messages => 1, user_id => %s)", (session_id, user_id)
    ).fetchone()
    if last and last["role"] == "assistant":
        conn.execute("SELECT rag_delete_messages(%s, %s, user_id => %s)", (session_id, last["id"], user_id))
    if last:
        yield from write_answer(conn, user_id, session_id)


def list_sessions(conn, user_id):
    """Yields the user's sessions, latest first; the next page would be after_cursor => the last row's cursor."""
    for row in conn.execute("SELECT * FROM rag_list_sessions(%s, max_sessions => 10)", (user_id,)):
        yield f"{row['session_id']} {row['title']}: {row['preview']}\n"


def main(user_id, session_id=None):
    # Nothing is prepared, so that it also runs behind a pooler that knows no prepared statements.
    with psycopg.connect(autocommit=True, row_factory=dict_row, prepare_threshold=None) as conn:
        if session_id is None:
            session_id = conn.execute(
                "SELECT rag_create_session(user_id => %s, metadata => %s) AS id",
                (user_id, Jsonb({"title": "Trams", "system_prompt": "Answer from the passages only."})),
            ).fetchone()["id"]
            print("Session", session_id)
        for line in map(str.strip, sys.stdin):
            if line == "/list":
                pieces = list_sessions(conn, user_id)
            elif line == "/again":
                pieces = again(conn, user_id, session_id)
            else:
                pieces = ask(conn, user_id, session_id, line, request_id=str(uuid.uuid4()))
            try:
                for piece in pieces:
                    print(piece, end="", flush=True)
                print()
            except psycopg.Error as error:  # what a web application answers
                print(http_status(error), error.diag.message_primary)


if __name__ == "__main__":
    main(*sys.argv[1:])
