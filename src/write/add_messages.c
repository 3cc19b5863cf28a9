/*
 * write/add_messages.c
 *		rag_add_message() and rag_add_messages().
 *
 *		Both take the same steps. The session is locked first, and only then are ids
 *		drawn, so that within a session the order of ids is the order of commits.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/error.h"
#include "message/message.h"
#include "message/message_json.h"
#include "session/create_session.h"
#include "session/find_session.h"
#include "session/session.h"
#include "write/add_messages.h"
#include "write/idempotency.h"
#include "write/insert.h"

void
rag_read_messages(RagAddition *addition, Jsonb *json)
{
	addition->messages = rag_messages_from_json(json, &addition->n);
	for (int i = 0; i < addition->n; i++)
	{
		RagMessage *message = &addition->messages[i];

		message->values[COL_SESSION_ID] = UUIDPGetDatum(addition->session.id);
		message->isnull[COL_SESSION_ID] = false;
	}
}

void
rag_check_addition(RagAddition *addition)
{
	for (int i = 0; i < addition->n; i++)
	{
		rag_check_message(&addition->messages[i], addition->session.nspoid);
		addition->optional |= rag_optional_columns(&addition->messages[i]);
	}
	rag_check_columns(addition->optional, addition->session.nspoid);
}

/*
 * Locks the session, and creates it if the addition says so. With touch, sets its
 * updated_at at the same time.
 */
static void
lock_session(const RagAddition *addition, bool touch)
{
	if (addition->create_session)
		rag_claim_session(&addition->session, touch);
	else if (touch)
		rag_touch_session(&addition->session);
	else
		rag_lock_existing_session(&addition->session);
}

/* The messages that are not in the session yet. */
static RagMessage **
new_messages(const RagAddition *addition, int *n)
{
	RagMessage **result = palloc_extended(sizeof(RagMessage *) * addition->n,
										  MCXT_ALLOC_HUGE);

	*n = 0;
	for (int i = 0; i < addition->n; i++)
	{
		RagMessage *message = &addition->messages[i];

		if (message->isnull[COL_ID] && message->repeats == NULL)
			result[(*n)++] = message;
	}
	return result;
}

/*
 * One that stores nothing, because it is empty or a repetition, does not touch the
 * session. So if there are keys, they are looked for before the touch.
 */
int
rag_add(const RagAddition *addition)
{
	bool has_keys = (addition->optional & RAG_COLUMN_BIT(COL_IDEMPOTENCY_KEY)) != 0;
	RagMessage **messages;
	int n;

	lock_session(addition, addition->n > 0 && !has_keys);
	if (addition->n == 0)
		return 0;
	if (has_keys)
		rag_find_repeated(addition->messages, addition->n, addition->session.nspoid);
	messages = new_messages(addition, &n);
	if (n == 0)
		return 0;
	if (has_keys)
		rag_touch_session(&addition->session);
	rag_draw_ids(messages, n, addition->session.nspoid, addition->session.id);
	rag_insert_messages(messages, n, addition->session.nspoid);
	return n;
}

/* ------------------------------------------------------------------------
 *		rag_add_message()
 * ------------------------------------------------------------------------
 */

/* The parameters, in the order of the signature. */
enum
{
	ARG_SESSION_ID,
	ARG_ROLE,
	ARG_CONTENT,
	ARG_SOURCES,
	ARG_LATENCY_MS,
	ARG_TOP_K,
	ARG_QUERY_TYPE,
	ARG_USER_ID,
	ARG_TOKEN_COUNT,
	ARG_METADATA,
	ARG_IDEMPOTENCY_KEY
};

static void
message_from_arguments(RagMessage *message, FunctionCallInfo fcinfo)
{
	static const RagArgument arguments[] = {
		{COL_SESSION_ID, ARG_SESSION_ID},
		{COL_ROLE, ARG_ROLE},
		{COL_CONTENT, ARG_CONTENT},
		{COL_SOURCES, ARG_SOURCES},
		{COL_LATENCY_MS, ARG_LATENCY_MS},
		{COL_TOP_K, ARG_TOP_K},
		{COL_QUERY_TYPE, ARG_QUERY_TYPE},
		{COL_TOKEN_COUNT, ARG_TOKEN_COUNT},
		{COL_METADATA, ARG_METADATA},
		{COL_IDEMPOTENCY_KEY, ARG_IDEMPOTENCY_KEY},
	};

	rag_message_from_arguments(message, fcinfo, arguments, lengthof(arguments));
}

/*
 * rag_add_message(session_id uuid, role text, content text,
 *				   sources jsonb DEFAULT NULL,
 *				   latency_ms double precision DEFAULT NULL,
 *				   top_k integer DEFAULT NULL, query_type text DEFAULT NULL,
 *				   user_id text DEFAULT NULL, token_count integer DEFAULT NULL,
 *				   metadata jsonb DEFAULT NULL,
 *				   idempotency_key text DEFAULT NULL) returns bigint
 *
 * Adds a message to a session, touches the session (updated_at) and returns the
 * message's id. The session stays locked until commit. latency_ms is in
 * milliseconds, top_k a number of sources, metadata a JSON object; with user_id
 * the session must be that user's. A message whose idempotency_key is already in
 * the session is not written again: its first id is returned.
 *
 * Errors: 22004 session_id, role or content is NULL; 23514 role is not 'user' or
 * 'assistant'; 22003 latency_ms, top_k or token_count out of range; 22023 metadata
 * is no object, or idempotency_key empty; 22001 idempotency_key longer than 255
 * bytes; 23505 idempotency_key was used for another role or content; 0A000
 * token_count, metadata or idempotency_key before version 1.1; 23503 no such
 * session; 25006 read-only transaction or standby; 27000 a trigger or rule
 * discarded the message.
 */
PG_FUNCTION_INFO_V1(rag_add_message);
Datum
rag_add_message(PG_FUNCTION_ARGS)
{
	RagMessage message;
	RagAddition addition = {.session = rag_session_argument(fcinfo, ARG_USER_ID, "messages"),
							.messages = &message,
							.n = 1};

	message_from_arguments(&message, fcinfo);
	rag_check_addition(&addition);
	rag_check_may_write("rag_add_message()");

	SPI_connect();
	(void) rag_add(&addition);
	SPI_finish();

	PG_RETURN_DATUM(message.values[COL_ID]);
}

/* ------------------------------------------------------------------------
 *		rag_add_messages()
 * ------------------------------------------------------------------------
 */

static void
read_arguments(RagAddition *addition, FunctionCallInfo fcinfo)
{
	addition->session = rag_session_argument(fcinfo, 2, "messages");
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("messages must not be null")));
	addition->create_session = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	rag_read_messages(addition, PG_GETARG_JSONB_P(1));
}

static Datum
ids_of(const RagAddition *addition)
{
	Datum *ids = palloc_extended(sizeof(Datum) * Max(addition->n, 1), MCXT_ALLOC_HUGE);

	for (int i = 0; i < addition->n; i++)
	{
		const RagMessage *message = &addition->messages[i];

		if (message->repeats)
			message = message->repeats;
		ids[i] = message->values[COL_ID];
	}
	return PointerGetDatum(construct_array(ids, addition->n, INT8OID, 8,
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * rag_add_messages(session_id uuid, messages jsonb, user_id text DEFAULT NULL,
 *					create_session boolean DEFAULT false) returns bigint[]
 *
 * Adds messages to a session, all or none, touches the session (updated_at) and
 * returns their ids in the order of the array. messages is a JSON array of objects
 * whose fields are named as rag_add_message()'s parameters; created_at (a timestamp
 * as text, or seconds since 1970) is for imports. With create_session, a session
 * that does not exist is created for user_id. An element whose idempotency_key is
 * already in the session, or in an earlier element, is not written again: its first
 * id is returned.
 *
 * Errors: those of rag_add_message(), and 22023 for JSON of another form; each names
 * the element, counted from 1. 23505 with create_session: the session is another
 * user's. Since 1.1.
 */
PG_FUNCTION_INFO_V1(rag_add_messages);
Datum
rag_add_messages(PG_FUNCTION_ARGS)
{
	RagAddition addition = {0};

	read_arguments(&addition, fcinfo);
	rag_check_addition(&addition);
	rag_check_may_write("rag_add_messages()");

	SPI_connect();
	(void) rag_add(&addition);
	SPI_finish();

	PG_RETURN_DATUM(ids_of(&addition));
}
