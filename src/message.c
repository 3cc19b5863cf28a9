/*
 * message.c
 *		Adding a message to a session.
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "error.h"
#include "plan.h"
#include "role.h"
#include "session.h"

/* The parameters of rag_add_message(), in the order of its signature. */
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

static const RagStatement insert = {
	"INSERT INTO %1$s.messages"
	" (id, session_id, role, content, sources, latency_ms, top_k, query_type)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	8, {INT8OID, UUIDOID, TEXTOID, TEXTOID, JSONBOID, FLOAT8OID, INT4OID, TEXTOID}
};

static void
check_latency(double latency_ms, Oid nspoid)
{
	if (isfinite(latency_ms) && latency_ms >= 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("latency_ms is out of range: %g", latency_ms),
			 errdetail("A latency is a finite number of milliseconds, zero or more."),
			 rag_errtable(nspoid, "messages", "latency_ms", NULL)));
}

static void
check_top_k(int32 top_k, Oid nspoid)
{
	if (top_k >= 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("top_k is out of range: %d", top_k),
			 errdetail("The number of sources asked for is zero or more."),
			 rag_errtable(nspoid, "messages", "top_k", NULL)));
}

/* Parameters of the signature that need a column of a later version. */
static void
check_later_parameters(FunctionCallInfo fcinfo)
{
	static const struct
	{
		int			arg;
		const char *name;
	}			later[] = {
		{ARG_TOKEN_COUNT, "token_count"},
		{ARG_METADATA, "metadata"},
		{ARG_IDEMPOTENCY_KEY, "idempotency_key"},
	};

	for (int i = 0; i < (int) lengthof(later); i++)
	{
		if (PG_ARGISNULL(later[i].arg))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s needs rag_events 1.1 or later", later[i].name),
				 errhint("Run ALTER EXTENSION rag_events UPDATE, or leave %s out.",
						 later[i].name)));
	}
}

static void
check_arguments(FunctionCallInfo fcinfo, Oid nspoid)
{
	if (PG_ARGISNULL(ARG_SESSION_ID))
		rag_error_null(nspoid, "messages", "session_id");
	if (PG_ARGISNULL(ARG_ROLE))
		rag_error_null(nspoid, "messages", "role");
	if (PG_ARGISNULL(ARG_CONTENT))
		rag_error_null(nspoid, "messages", "content");
	rag_check_role(PG_GETARG_TEXT_PP(ARG_ROLE), nspoid);
	if (!PG_ARGISNULL(ARG_LATENCY_MS))
		check_latency(PG_GETARG_FLOAT8(ARG_LATENCY_MS), nspoid);
	if (!PG_ARGISNULL(ARG_TOP_K))
		check_top_k(PG_GETARG_INT32(ARG_TOP_K), nspoid);
	check_later_parameters(fcinfo);
}

static int64
next_message_id(Oid nspoid)
{
	Oid			seqoid = get_relname_relid("messages_id_seq", nspoid);

	if (!OidIsValid(seqoid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("sequence \"%s.messages_id_seq\" does not exist",
						get_namespace_name(nspoid)),
				 errdetail("The ids of messages come from this sequence.")));
	return nextval_internal(seqoid, true);
}

static void
insert_message(FunctionCallInfo fcinfo, Oid nspoid, int64 id)
{
	static const int columns[] = {ARG_SESSION_ID, ARG_ROLE, ARG_CONTENT,
		ARG_SOURCES, ARG_LATENCY_MS, ARG_TOP_K, ARG_QUERY_TYPE};
	Datum		values[1 + lengthof(columns)];
	char		nulls[1 + lengthof(columns)];

	values[0] = Int64GetDatum(id);
	nulls[0] = ' ';
	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		values[i + 1] = PG_GETARG_DATUM(columns[i]);
		nulls[i + 1] = PG_ARGISNULL(columns[i]) ? 'n' : ' ';
	}
	if (rag_execute(&insert, nspoid, values, nulls) == 0)
		rag_error_discarded(nspoid, "messages");
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
 * Adds a message to a session, touches the session (updated_at) and returns
 * the message's id. The session is locked before the id is drawn, and until
 * commit: within a session, the order of ids is the order of commits. latency_ms
 * is in milliseconds, top_k a number of sources; with user_id the session must
 * be that user's.
 *
 * Errors: 22004 session_id, role or content is NULL; 23514 role is not 'user'
 * or 'assistant'; 22003 latency_ms or top_k out of range; 0A000 token_count,
 * metadata or idempotency_key before version 1.1; 23503 no such session;
 * 25006 read-only transaction or standby; 27000 a trigger or rule discarded
 * the message.
 */
PG_FUNCTION_INFO_V1(rag_add_message);
Datum
rag_add_message(PG_FUNCTION_ARGS)
{
	Oid			nspoid = rag_namespace(fcinfo);
	int64		id;

	check_arguments(fcinfo, nspoid);
	PreventCommandIfReadOnly("rag_add_message()");

	SPI_connect();
	rag_touch_session(nspoid, PG_GETARG_UUID_P(ARG_SESSION_ID),
					  PG_ARGISNULL(ARG_USER_ID) ? NULL :
					  PG_GETARG_TEXT_PP(ARG_USER_ID));
	id = next_message_id(nspoid);
	insert_message(fcinfo, nspoid, id);
	SPI_finish();

	PG_RETURN_INT64(id);
}
