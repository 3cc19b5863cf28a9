/*
 * bulk.c
 *		Adding a turn or a whole conversation in one call.
 *
 *		Where the table is plain for the caller, the rows go straight into it, as
 *		COPY's do, and the foreign key is not checked row by row: the session was
 *		locked just before, at least as firmly as the key's check would lock it.
 *		Everywhere else an ordinary INSERT is run through SPI. The result is the
 *		same; bulk_direct.c decides and does the former.
 */
#include "compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "bulk.h"
#include "bulk_direct.h"
#include "error.h"
#include "message.h"
#include "message_json.h"
#include "plan.h"
#include "session.h"

/* Limits of what is put into one INSERT: rows, and bytes of text and JSON. */
#define BATCH_ROWS 1000
#define BATCH_BYTES (16 * 1024 * 1024)

/* A column's values of the messages as an array. */
static Datum
column_array(RagMessage **messages, int n, RagColumn col)
{
	const RagColumnInfo *info = &rag_columns[col];
	Datum *values = palloc(sizeof(Datum) * n);
	bool *isnull = palloc(sizeof(bool) * n);
	int lbound = 1;

	for (int i = 0; i < n; i++)
	{
		values[i] = messages[i]->values[col];
		isnull[i] = messages[i]->isnull[col];
	}
	return PointerGetDatum(construct_md_array(values, isnull, 1, &n, &lbound,
											  info->type, info->typlen, info->typbyval,
											  info->typalign));
}

static void
insert_batch(RagMessage **messages, int n, int optional, Oid nspoid)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext,
												"rag_events batch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(batch);
	Datum values[RAG_NCOLUMNS];

	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if (col == COL_SESSION_ID)
			values[col] = messages[0]->values[col];
		else
			values[col] = column_array(messages, n, col);
	}
	MemoryContextSwitchTo(old);
	if (rag_execute(rag_insert_statement(true, optional), nspoid, values, NULL) <
		(uint64) n)
		rag_error_discarded(nspoid, "messages");
	MemoryContextDelete(batch);
}

static Size
message_bytes(const RagMessage *message)
{
	Size bytes = 0;

	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if (rag_columns[col].typlen == -1 && !message->isnull[col])
			bytes += VARSIZE_ANY(DatumGetPointer(message->values[col]));
	}
	return bytes;
}

static void
insert_through_spi(RagMessage **messages, int n, int optional, Oid nspoid)
{
	int first = 0;
	Size bytes = 0;

	for (int i = 0; i < n; i++)
	{
		bytes += message_bytes(messages[i]);
		if (i + 1 < n && i + 1 - first < BATCH_ROWS && bytes < BATCH_BYTES)
			continue;
		insert_batch(messages + first, i + 1 - first, optional, nspoid);
		first = i + 1;
		bytes = 0;
	}
}

/* How many of the first messages all have a time of their own, or none of them? */
static int
count_alike(RagMessage **messages, int n)
{
	int count = 1;

	while (count < n &&
		   messages[count]->isnull[COL_CREATED_AT] == messages[0]->isnull[COL_CREATED_AT])
		count++;
	return count;
}

/* Those without a time go by themselves: they get the default of created_at. */
void
rag_insert_messages(RagMessage **messages, int n, int optional, Oid nspoid)
{
	int count;

	rag_draw_ids(messages, n, nspoid);
	for (int i = 0; i < n; i += count)
	{
		int mask = messages[i]->isnull[COL_CREATED_AT] ?
			optional & ~RAG_COLUMN_BIT(COL_CREATED_AT) :
			optional;

		count = count_alike(messages + i, n - i);
		if (!rag_insert_directly(messages + i, count, mask, nspoid))
			insert_through_spi(messages + i, count, mask, nspoid);
	}
}

/* ------------------------------------------------------------------------
 *		rag_add_messages()
 * ------------------------------------------------------------------------
 */

typedef struct Call
{
	Oid nspoid;
	const pg_uuid_t *session_id;
	const text *user_id;
	bool create_session;
	RagMessage *messages;
	int n;
	int optional; /* optional columns that have a value in any message */
} Call;

static void
read_arguments(Call *call, FunctionCallInfo fcinfo)
{
	call->nspoid = rag_namespace(fcinfo);
	if (PG_ARGISNULL(0))
		rag_error_null(call->nspoid, "messages", "session_id", 0);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("messages must not be null")));
	call->session_id = PG_GETARG_UUID_P(0);
	call->user_id = PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2);
	call->create_session = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	call->messages = rag_messages_from_json(PG_GETARG_JSONB_P(1), &call->n);
	call->optional = 0;
	for (int i = 0; i < call->n; i++)
	{
		RagMessage *message = &call->messages[i];

		message->values[COL_SESSION_ID] = UUIDPGetDatum(call->session_id);
		message->isnull[COL_SESSION_ID] = false;
		rag_check_message(message, call->nspoid);
		call->optional |= rag_optional_columns(message);
	}
	rag_check_columns(call->optional, call->nspoid);
}

/*
 * Locks the session; creates it if need be. With touch, sets its updated_at at the
 * same time.
 */
static void
lock_session(const Call *call, bool touch)
{
	if (call->create_session)
		rag_claim_session(call->nspoid, call->session_id, call->user_id, touch);
	else if (touch)
		rag_touch_session(call->nspoid, call->session_id, call->user_id);
	else if (!rag_lock_session(call->nspoid, call->session_id, call->user_id))
		rag_error_no_session(call->nspoid, call->session_id);
}

/* The messages that are to be written. */
static RagMessage **
new_messages(const Call *call, int *n)
{
	RagMessage **result = palloc_extended(sizeof(RagMessage *) * call->n,
										  MCXT_ALLOC_HUGE);

	*n = 0;
	for (int i = 0; i < call->n; i++)
	{
		RagMessage *message = &call->messages[i];

		if (message->isnull[COL_ID] && message->repeats == NULL)
			result[(*n)++] = message;
	}
	return result;
}

static void
add_messages(const Call *call)
{
	bool has_keys = (call->optional & RAG_COLUMN_BIT(COL_IDEMPOTENCY_KEY)) != 0;
	RagMessage **messages;
	int n;

	/* A call that writes nothing, an empty or a repeated one, touches nothing. */
	lock_session(call, call->n > 0 && !has_keys);
	if (call->n == 0)
		return;
	if (has_keys)
		rag_find_repeated(call->messages, call->n, call->nspoid);
	messages = new_messages(call, &n);
	if (n == 0)
		return;
	if (has_keys)
		rag_touch_session(call->nspoid, call->session_id, call->user_id);
	rag_insert_messages(messages, n, call->optional, call->nspoid);
}

static Datum
ids_of(const Call *call)
{
	Datum *ids = palloc_extended(sizeof(Datum) * Max(call->n, 1), MCXT_ALLOC_HUGE);

	for (int i = 0; i < call->n; i++)
	{
		const RagMessage *message = &call->messages[i];

		if (message->repeats)
			message = message->repeats;
		ids[i] = message->values[COL_ID];
	}
	return PointerGetDatum(construct_array(ids, call->n, INT8OID, 8,
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
	Call call;

	read_arguments(&call, fcinfo);
	PreventCommandIfReadOnly("rag_add_messages()");

	SPI_connect();
	add_messages(&call);
	SPI_finish();

	PG_RETURN_DATUM(ids_of(&call));
}
