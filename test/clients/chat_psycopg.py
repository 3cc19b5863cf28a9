"""What the chat of examples/python does where all does not go well; prints TAP. See tap.py for the environment."""

import sys

import psycopg
from psycopg.rows import dict_row

sys.path.insert(0, "examples/python")
import chat  # noqa: E402
from tap import equal, finish, test  # noqa: E402

WORKING = chat.ask_model


def breaking(prompt, sources):
    yield from ("One ", "two ", "three ", "four ", "five ", "six ")
    raise ConnectionError("the model is gone")


def new_session():
    create = """SELECT rag_create_session(user_id => 'maya', metadata => '{"system_prompt": "Be brief."}') AS id"""
    return conn.execute(create).fetchone()["id"]


def stored(session_id):
    query = "SELECT content, metadata->>'status' AS status FROM rag_get_messages(%s)"
    return [(row["content"], row["status"]) for row in conn.execute(query, (session_id,))]


def retry():
    session_id = new_session()
    first = "".join(chat.ask(conn, "maya", session_id, "Q", "request-1"))
    equal("".join(chat.ask(conn, "maya", session_id, "Q", "request-1")), first)
    equal(stored(session_id), [("Q", None), (first, "done")])


def failure():
    session_id = new_session()
    chat.ask_model = breaking
    pieces = chat.ask(conn, "maya", session_id, "Q", "request-1")
    for _ in range(6):  # five have been saved when the sixth is asked for
        next(pieces)
    equal(stored(session_id), [("Q", None), ("One two three four five ", "streaming")])
    try:
        next(pieces)
        raise AssertionError("no error")
    except ConnectionError:
        pass
    equal(stored(session_id), [("Q", None), ("One two three four five six ", "failed")])
    chat.ask_model = WORKING
    answer = "".join(chat.again(conn, "maya", session_id))
    equal(stored(session_id), [("Q", None), (answer, "done")])


def stopped():
    session_id = new_session()
    pieces = chat.ask(conn, "maya", session_id, "Q", "request-1")
    first = next(pieces)
    pieces.close()
    equal(stored(session_id), [("Q", None), (first, "failed")])


def prompt():
    session_id = new_session()
    for question in ("Q1", "Q2"):
        list(chat.ask(conn, "maya", session_id, question, question))
    messages = chat.build_prompt(conn, "maya", session_id)
    equal([m["role"] for m in messages], ["system", "user", "assistant", "user", "assistant"])
    equal(messages[0]["content"], "Be brief.")


with psycopg.connect(autocommit=True, row_factory=dict_row, prepare_threshold=None) as conn:
    test("a request that is sent again is answered once", retry)
    test("an answer that breaks off is kept as failed, and can be replaced", failure)
    test("an answer that nobody waits for is kept as failed", stopped)
    test("the prompt is the system prompt and the conversation", prompt)
finish()
