/*
 * write/put_message.c
 *		rag_put_message(): adds a message, or changes the one with its key.
 *
 *		So a client that makes its own ids, or that stores an answer again and again
 *		while it grows, need not know whether the message is there already.
 */
#include "base/compat.h"

#include "executor/spi.h"

#include "base/error.h"
#include "base/metadata.h"
#include "message/message.h"
#include "session/find_session.h"
#include "session/session.h"
#include "write/edit_messages.h"
#include "write/idempotency.h"
#include "write/insert.h"

/* The parameters, in the order of the signature. */
enum
{
	ARG_SESSION_ID,
	ARG_IDEMPOTENCY_KEY,
	ARG_ROLE,
	ARG_CONTENT,
	ARG_SOURCES,
	ARG_LATENCY_MS,
	ARG_TOP_K,
	ARG_QUERY_TYPE,
	ARG_USER_ID,
	ARG_TOKEN_COUNT,
	ARG_METADATA
};

static void
message_from_arguments(RagMessage *message, FunctionCallInfo fcinfo)
{
	static const RagArgument arguments[] = {
		{COL_SESSION_ID, ARG_SESSION_ID},
		{COL_IDEMPOTENCY_KEY, ARG_IDEMPOTENCY_KEY},
		{COL_ROLE, ARG_ROLE},
		{COL_CONTENT, ARG_CONTENT},
		{COL_SOURCES, ARG_SOURCES},
		{COL_LATENCY_MS, ARG_LATENCY_MS},
		{COL_TOP_K, ARG_TOP_K},
		{COL_QUERY_TYPE, ARG_QUERY_TYPE},
		{COL_TOKEN_COUNT, ARG_TOKEN_COUNT},
		{COL_METADATA, ARG_METADATA},
	};

	rag_message_from_arguments(message, fcinfo, arguments, lengthof(arguments));
}

/*
 * rag_put_message(session_id uuid, idempotency_key text, role text, content text,
 *				   sources jsonb DEFAULT NULL,
 *				   latency_ms double precision DEFAULT NULL,
 *				   top_k integer DEFAULT NULL, query_type text DEFAULT NULL,
 *				   user_id text DEFAULT NULL, token_count integer DEFAULT NULL,
 *				   metadata jsonb DEFAULT NULL) returns bigint
 *
 * Adds a message to a session as rag_add_message() does. Where the session has one with
 * the idempotency_key and the same role, its content is replaced, and whatever else is
 * not NULL; metadata is merged as rag_update_message() does. Touches the session
 * (updated_at), and returns the message's id. latency_ms is in milliseconds; with user_id
 * the session must be that user's.
 *
 * Errors: those of rag_add_message(); 22004 also where idempotency_key is NULL; 23505 the
 * message with the key has another role; 22023 also where metadata is stored that is no
 * object. Since 1.3.
 */
PG_FUNCTION_INFO_V1(rag_put_message);
Datum
rag_put_message(PG_FUNCTION_ARGS)
{
	RagSession session = rag_session_argument(fcinfo, ARG_USER_ID, "messages");
	RagMessage message;
	RagMessage *messages = &message;

	if (PG_ARGISNULL(ARG_IDEMPOTENCY_KEY))
		rag_error_null(session.nspoid, "messages", "idempotency_key", 0);
	message_from_arguments(&message, fcinfo);
	rag_check_message(&message, session.nspoid);
	rag_check_columns(rag_optional_columns(&message), session.nspoid);
	rag_check_may_write("rag_put_message()");

	SPI_connect();
	rag_touch_session(&session);
	if (rag_find_by_key(&message, session.nspoid))
		rag_change_message(&message, session.nspoid);
	else
	{
		/* As a change would leave it: a key with null is no key. */
		if (!message.isnull[COL_METADATA])
			message.values[COL_METADATA] = JsonbPGetDatum(
				rag_merge_metadata(NULL, DatumGetJsonbP(message.values[COL_METADATA]),
								   session.nspoid, "messages"));
		rag_draw_ids(&messages, 1, session.nspoid, session.id);
		rag_insert_messages(&messages, 1, session.nspoid);
	}
	SPI_finish();

	PG_RETURN_DATUM(message.values[COL_ID]);
}
