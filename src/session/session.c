/*
 * session/session.c
 *		Which session a function is called for.
 */
#include "base/compat.h"

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "utils/fmgrprotos.h"

#include "base/error.h"
#include "base/schema.h"
#include "session/session.h"

const RagSessionColumn rag_session_columns[RAG_SESSION_NCOLUMNS] = {
	[SESSION_ID] = {"id", "session_id", UUIDOID},
	[SESSION_USER_ID] = {"user_id", "user_id", TEXTOID},
	[SESSION_METADATA] = {"metadata", "metadata", JSONBOID},
	[SESSION_CREATED_AT] = {"created_at", "created_at", TIMESTAMPOID},
	[SESSION_UPDATED_AT] = {"updated_at", "updated_at", TIMESTAMPOID},
};

RagSession
rag_session_argument(FunctionCallInfo fcinfo, int user_id_arg, const char *table)
{
	RagSession session = {.nspoid = rag_namespace(fcinfo)};

	if (PG_ARGISNULL(0))
		rag_error_null(session.nspoid, table, "session_id", 0);
	session.id = PG_GETARG_UUID_P(0);
	if (!PG_ARGISNULL(user_id_arg))
		session.user_id = PG_GETARG_TEXT_PP(user_id_arg);
	return session;
}

Timestamp
rag_transaction_time(void)
{
	TimestampTz start = GetCurrentTransactionStartTimestamp();

	return DatumGetTimestamp(
		DirectFunctionCall1(timestamptz_timestamp, TimestampTzGetDatum(start)));
}
