/*
 * read/get_context.c
 *		The end of a conversation that fits into a model's context window.
 *
 *		The messages are read from the newest on, and the query ends at the first
 *		that does not fit. What a message takes is its token_count, or an estimate
 *		from the size of its content, which is known without decompressing it.
 */
#include "base/compat.h"

#include "access/detoast.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/error.h"
#include "base/statement.h"
#include "message/message.h"
#include "session/session.h"
#include "read/get_messages.h"
#include "read/get_messages_direct.h"

/* If the number of tokens is not known, so many bytes are counted as one token. */
#define BYTES_PER_TOKEN 4

/* The columns of the result, in order. */
enum
{
	CONTEXT_ID,
	CONTEXT_ROLE,
	CONTEXT_CONTENT,
	CONTEXT_TOKEN_COUNT,
	CONTEXT_NCOLUMNS
};

/* The order is that of read/get_messages.c, for the same reason. */
#define NEWEST_FIRST(operator) \
	{ \
		"SELECT id::pg_catalog.int8, role::pg_catalog.text, content::pg_catalog.text," \
		" token_count::pg_catalog.int4" \
		" FROM @extschema@.messages" \
		" WHERE ROW(session_id, id) OPERATOR(pg_catalog." \
		operator") ROW($1, $2)" \
				" AND session_id OPERATOR(pg_catalog.<=) $1" \
				" ORDER BY session_id DESC, messages.id DESC LIMIT $3", \
			3, \
		{ \
			UUIDOID, INT8OID, INT4OID \
		} \
	}

/* The second one includes the message with that id. */
static const RagStatement newest_first[2] = {NEWEST_FIRST(">"), NEWEST_FIRST(">=")};

/* Takes messages until the window is full. */
typedef struct Window
{
	TupleDesc desc;
	MemoryContext context; /* of the messages */
	List *messages;		   /* HeapTuples, newest first */
	int n;				   /* number of messages up to the oldest one of the user */
	int64 left;			   /* tokens that still fit */
	int max;			   /* messages at most */
} Window;

/* In all of these, values and isnull are those of a message, as in the result. */
static int32
count_tokens(const Datum *values, const bool *isnull)
{
	Size bytes;

	if (!isnull[CONTEXT_TOKEN_COUNT])
		return Max(DatumGetInt32(values[CONTEXT_TOKEN_COUNT]), 0);
	if (isnull[CONTEXT_CONTENT])
		return 0;
	bytes = toast_raw_datum_size(values[CONTEXT_CONTENT]) - VARHDRSZ;
	return (int32) ((bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN);
}

static bool
is_users(const Datum *values, const bool *isnull)
{
	text *role;

	if (isnull[CONTEXT_ROLE])
		return false;
	role = DatumGetTextPP(values[CONTEXT_ROLE]);
	return VARSIZE_ANY_EXHDR(role) == 4 && memcmp(VARDATA_ANY(role), "user", 4) == 0;
}

static void
keep_message(Window *window, const Datum *message, const bool *isnull, int32 tokens)
{
	MemoryContext old = MemoryContextSwitchTo(window->context);
	Datum values[CONTEXT_NCOLUMNS];
	bool nulls[CONTEXT_NCOLUMNS];

	memcpy(values, message, sizeof(values));
	memcpy(nulls, isnull, sizeof(nulls));
	nulls[CONTEXT_TOKEN_COUNT] = false;
	values[CONTEXT_TOKEN_COUNT] = Int32GetDatum(tokens);
	window->messages = lappend(window->messages,
							   heap_form_tuple(window->desc, values, nulls));
	MemoryContextSwitchTo(old);
	if (is_users(message, isnull))
		window->n = list_length(window->messages);
}

/* Returns false if the message does not fit, or no other one would. */
static bool
take_message(Window *window, const Datum *values, const bool *isnull)
{
	int32 tokens = count_tokens(values, isnull);

	if (tokens > window->left)
		return false;
	window->left -= tokens;
	keep_message(window, values, isnull, tokens);
	return list_length(window->messages) < window->max;
}

static bool
receive_row(TupleTableSlot *slot, void *arg)
{
	return take_message(arg, slot->tts_values, slot->tts_isnull);
}

static bool
receive_message(const Datum *message, const bool *message_isnull, void *arg)
{
	static const RagColumn columns[CONTEXT_NCOLUMNS] = {
		[CONTEXT_ID] = COL_ID,
		[CONTEXT_ROLE] = COL_ROLE,
		[CONTEXT_CONTENT] = COL_CONTENT,
		[CONTEXT_TOKEN_COUNT] = COL_TOKEN_COUNT};
	Datum values[CONTEXT_NCOLUMNS];
	bool isnull[CONTEXT_NCOLUMNS];

	for (int i = 0; i < CONTEXT_NCOLUMNS; i++)
	{
		values[i] = message[columns[i]];
		isnull[i] = message_isnull[columns[i]];
	}
	return take_message(arg, values, isnull);
}

/* Reads the messages after scan->id, newest first, until the window is full. */
static void
fill_window(Window *window, const RagSession *session, const RagScan *scan)
{
	Datum values[] = {UUIDPGetDatum(scan->session_id), Int64GetDatum(scan->id),
					  Int32GetDatum(window->max)};

	if (window->left > 0 && window->max > 0 &&
		!rag_scan_messages_directly(session->nspoid, scan, receive_message, window))
		rag_query_each(&newest_first[scan->inclusive], session->nspoid, values, NULL,
					   receive_row, window);
}

/*
 * rag_get_context(session_id uuid, max_tokens integer,
 *				   max_messages integer DEFAULT NULL, after_id bigint DEFAULT NULL,
 *				   user_id text DEFAULT NULL)
 *		returns table (id bigint, role text, content text, token_count integer)
 *
 * Returns the newest messages of a session that fit together into max_tokens (NULL:
 * no limit), at most max_messages (NULL: no limit) and only those after after_id
 * (NULL: all), in the order of their ids. They begin at a message of the user: older
 * ones of the assistant are left out. token_count is what the message was counted as:
 * the column's value or, where that is NULL, a quarter of the bytes of its content,
 * rounded up. With user_id the session must be that user's.
 *
 * Errors: 22004 session_id is NULL; 22023 max_tokens or max_messages is negative;
 * 23503 no such session. Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_get_context);
Datum
rag_get_context(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	RagScan scan = {.after = true,
					.id = PG_ARGISNULL(3) ? PG_INT64_MIN : PG_GETARG_INT64(3),
					.inclusive = PG_ARGISNULL(3),
					.direction = BackwardScanDirection};
	Window window = {.left = PG_ARGISNULL(1) ? PG_INT64_MAX : PG_GETARG_INT32(1),
					 .max = PG_ARGISNULL(2) ? PG_INT32_MAX : PG_GETARG_INT32(2)};
	RagSession session;

	rag_check_max(fcinfo, 1, "max_tokens");
	rag_check_max(fcinfo, 2, "max_messages");
	session = rag_begin_reading(fcinfo, 4);
	scan.session_id = session.id;
	window.desc = rsinfo->setDesc;
	window.context = CurrentMemoryContext;
	fill_window(&window, &session, &scan);
	for (int i = window.n - 1; i >= 0; i--)
		tuplestore_puttuple(rsinfo->setResult, list_nth(window.messages, i));
	SPI_finish();
	return (Datum) 0;
}
