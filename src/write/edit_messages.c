/*
 * write/edit_messages.c
 *		Changing and deleting messages that are there.
 *
 *		As when a message is added, the session is locked first, so that those who
 *		write to it take turns, and touched when anything is written.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/error.h"
#include "base/metadata.h"
#include "base/schema.h"
#include "base/statement.h"
#include "feedback/feedback.h"
#include "message/message.h"
#include "session/find_session.h"
#include "session/session.h"
#include "write/delete_direct.h"
#include "write/edit_messages.h"
#include "write/update_message_direct.h"

/*
 * The parameters of a statement begin with these two columns, as the values of a
 * RagMessage do.
 */
#define OF_MESSAGE \
	" WHERE id OPERATOR(pg_catalog.=) $1 AND session_id OPERATOR(pg_catalog.=) $2"

static const RagStatement lock_message_sql = {
	RAG_OF_SESSION "SELECT FROM @extschema@.messages" OF_MESSAGE " FOR NO KEY UPDATE",
	2,
	{INT8OID, UUIDOID}};

static const RagStatement lock_metadata_sql = {
	RAG_OF_SESSION "SELECT metadata::pg_catalog.jsonb FROM @extschema@.messages" OF_MESSAGE " FOR NO KEY UPDATE",
	2,
	{INT8OID, UUIDOID}};

/*
 * They are found in the order of read/get_messages.c, for the same reason, and deleted
 * by the primary key. The last condition, which no index serves, is for messages that
 * somebody moves to another session meanwhile.
 */
static const RagStatement delete_from_sql = {
	RAG_OF_SESSION "DELETE FROM @extschema@.messages WHERE " RAG_LOCAL("id OPERATOR(pg_catalog.=) ANY (ARRAY("
																	   "SELECT m.id FROM @extschema@.messages AS m"
																	   " WHERE ROW(m.session_id, m.id) OPERATOR(pg_catalog.>=) ROW($2, $1)"
																	   " AND m.session_id OPERATOR(pg_catalog.<=) $2"
																	   " ORDER BY m.session_id, m.id))"
																	   " AND (session_id OPERATOR(pg_catalog.=) $2) IS TRUE")
		RAG_DISTRIBUTED("session_id OPERATOR(pg_catalog.=) $2 AND id OPERATOR(pg_catalog.>=) $1"),
	2,
	{INT8OID, UUIDOID}};

/* The columns that can be changed. */
static const RagColumn changeable[] = {COL_CONTENT, COL_SOURCES, COL_LATENCY_MS,
									   COL_TOP_K, COL_QUERY_TYPE, COL_TOKEN_COUNT,
									   COL_METADATA};

/* ------------------------------------------------------------------------
 *		Changing a message
 * ------------------------------------------------------------------------
 */

/*
 * The UPDATE of the columns of the mask, which has a bit for each place in changeable.
 */
static char *
update_sql(int mask)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, RAG_OF_SESSION "UPDATE @extschema@.messages SET ");
	for (int i = 0; i < (int) lengthof(changeable); i++)
	{
		if (mask & (1 << i))
			appendStringInfo(&sql, "%s = $%d%s", rag_columns[changeable[i]].name,
							 changeable[i] + 1, mask >> (i + 1) ? ", " : "");
	}
	appendStringInfoString(&sql, OF_MESSAGE);
	return sql.data;
}

/* The parameters are the values of all columns, in their order. */
static const RagStatement *
update_statement(int mask)
{
	static RagStatement statements[1 << lengthof(changeable)];
	RagStatement *statement = &statements[mask];

	if (statement->sql == NULL)
	{
		statement->nargs = RAG_NCOLUMNS;
		for (int col = 0; col < RAG_NCOLUMNS; col++)
			statement->argtypes[col] = rag_columns[col].type;
		statement->sql = MemoryContextStrdup(TopMemoryContext, update_sql(mask));
	}
	return statement;
}

static void
require_message(const RagStatement *lock, const RagMessage *message, Oid nspoid)
{
	if (rag_execute(lock, nspoid, message->values, NULL) == 0)
		rag_error_no_message(nspoid, DatumGetInt64(message->values[COL_ID]));
}

/* Replaces the change of the metadata by the result of the merge. */
static void
merge_metadata(RagMessage *message, Oid nspoid)
{
	Datum *metadata = &message->values[COL_METADATA];
	Datum stored;
	bool isnull;

	require_message(&lock_metadata_sql, message, nspoid);
	stored = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	*metadata = JsonbPGetDatum(rag_merge_metadata(isnull ? NULL : DatumGetJsonbP(stored),
												  DatumGetJsonbP(*metadata), nspoid,
												  "messages"));
}

static bool
update_directly(const RagMessage *message, int mask, Oid nspoid)
{
	RagColumn columns[lengthof(changeable)];
	int n = 0;

	for (int i = 0; i < (int) lengthof(changeable); i++)
	{
		if (mask & (1 << i))
			columns[n++] = changeable[i];
	}
	return rag_update_message_directly(message, columns, n, nspoid);
}

/* The columns that the message has new values for. */
static int
changed_columns(const RagMessage *message)
{
	int mask = 0;

	for (int i = 0; i < (int) lengthof(changeable); i++)
	{
		if (!message->isnull[changeable[i]])
			mask |= 1 << i;
	}
	return mask;
}

void
rag_change_message(RagMessage *message, Oid nspoid)
{
	int mask = changed_columns(message);

	if (!message->isnull[COL_METADATA])
		merge_metadata(message, nspoid);
	if (update_directly(message, mask, nspoid))
		return;
	if (rag_execute_message(update_statement(mask), message, nspoid) > 0)
		return;

	/* The message may have been added just after the UPDATE. */
	require_message(&lock_message_sql, message, nspoid);
	if (rag_execute_message(update_statement(mask), message, nspoid) == 0)
		rag_error_discarded(nspoid, "messages");
}

/* ------------------------------------------------------------------------
 *		rag_update_message()
 * ------------------------------------------------------------------------
 */

/* Fills the message with the new values. */
static void
changes_from_arguments(RagMessage *message, FunctionCallInfo fcinfo)
{
	static const RagArgument arguments[] = {
		{COL_SESSION_ID, 0},
		{COL_ID, 1},
		{COL_CONTENT, 2},
		{COL_SOURCES, 3},
		{COL_LATENCY_MS, 4},
		{COL_TOKEN_COUNT, 5},
		{COL_METADATA, 6},
	};

	rag_message_from_arguments(message, fcinfo, arguments, lengthof(arguments));
}

/* Raises 22004 where the second argument, the id of a message, is NULL. */
static void
require_message_id(FunctionCallInfo fcinfo, const char *name)
{
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name),
				 rag_errtable(rag_namespace(fcinfo), "messages", "id", NULL)));
}

/*
 * rag_update_message(session_id uuid, message_id bigint, content text DEFAULT NULL,
 *					  sources jsonb DEFAULT NULL,
 *					  latency_ms double precision DEFAULT NULL,
 *					  token_count integer DEFAULT NULL, metadata jsonb DEFAULT NULL,
 *					  user_id text DEFAULT NULL) returns void
 *
 * Changes a message, and touches the session (updated_at). NULL keeps what is there;
 * metadata is merged: each key replaces the one that is there, and a key with null
 * is removed. latency_ms is in milliseconds. With user_id the session must be that
 * user's.
 *
 * Errors: 22004 session_id or message_id is NULL; 22003 latency_ms or token_count out
 * of range; 22023 metadata, or what is stored, is no object; 23503 no such session,
 * or no such message in it; 25006 read-only transaction or standby; 27000 a trigger
 * or rule discarded the change. Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_update_message);
Datum
rag_update_message(PG_FUNCTION_ARGS)
{
	RagSession session = rag_session_argument(fcinfo, 7, "messages");
	RagMessage message;

	require_message_id(fcinfo, "message_id");
	changes_from_arguments(&message, fcinfo);
	rag_check_values(&message, session.nspoid);
	rag_check_may_write("rag_update_message()");

	SPI_connect();
	if (changed_columns(&message) != 0)
	{
		rag_touch_session(&session);
		rag_change_message(&message, session.nspoid);
	}
	else
	{
		rag_lock_existing_session(&session);
		require_message(&lock_message_sql, &message, session.nspoid);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 *		rag_delete_messages()
 * ------------------------------------------------------------------------
 */

/*
 * rag_delete_messages(session_id uuid, from_id bigint, user_id text DEFAULT NULL)
 *		returns bigint
 *
 * Deletes the message from_id of a session and all after it, with the feedback on them,
 * touches the session (updated_at) if there are any, and returns how many they were. With
 * user_id the session must be that user's.
 *
 * Errors: 22004 session_id or from_id is NULL; 23503 no such session; 25006 read-only
 * transaction or standby. Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_delete_messages);
Datum
rag_delete_messages(PG_FUNCTION_ARGS)
{
	RagSession session = rag_session_argument(fcinfo, 2, "messages");
	Datum values[] = {PG_GETARG_DATUM(1), PG_GETARG_DATUM(0)};
	int64 deleted = 0;

	require_message_id(fcinfo, "from_id");
	rag_check_may_write("rag_delete_messages()");

	SPI_connect();
	rag_lock_existing_session(&session);
	if (!rag_delete_messages_directly(&session, PG_GETARG_INT64(1), &deleted))
		deleted += (int64) rag_execute(&delete_from_sql, session.nspoid, values, NULL);
	if (deleted > 0)
	{
		if (!rag_sees_no_feedback(values[1], session.nspoid))
			rag_delete_feedback_from(&session, PG_GETARG_INT64(1));
		rag_touch_session(&session);
	}
	SPI_finish();
	PG_RETURN_INT64(deleted);
}
