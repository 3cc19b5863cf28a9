/*
 * read/get_messages.c
 *		Reading the messages of a session, page by page.
 *
 *		Pages go by (session_id, id): a row comparison finds the place to begin in
 *		ix_messages_session_id, and the order by both columns is one that no other
 *		index gives. With "session_id = $1 ... ORDER BY id" the primary key would give
 *		it, too, and reading that backwards for the messages of one session reads the
 *		whole table where they are old.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/memutils.h"

#include "base/error.h"
#include "base/statement.h"
#include "message/message.h"
#include "session/find_session.h"
#include "session/session.h"
#include "read/get_messages.h"
#include "read/get_messages_direct.h"

/*
 * The last messages before an id, and the first after one. The columns of the result and
 * the operator take the places of "%s".
 */
#define BEFORE \
	RAG_OF_SESSION "SELECT * FROM (SELECT %s FROM @extschema@.messages" \
				   " WHERE ROW(session_id, id) OPERATOR(pg_catalog.%s) ROW($1, $2)" \
				   " AND session_id OPERATOR(pg_catalog.>=) $1" RAG_ON_ITS_MACHINE \
				   " ORDER BY session_id DESC, messages.id DESC LIMIT $3) AS m ORDER BY id"

#define AFTER \
	RAG_OF_SESSION "SELECT %s FROM @extschema@.messages" \
				   " WHERE ROW(session_id, id) OPERATOR(pg_catalog.%s) ROW($1, $2)" \
				   " AND session_id OPERATOR(pg_catalog.<=) $1" RAG_ON_ITS_MACHINE \
				   " ORDER BY session_id, messages.id LIMIT $3"

/*
 * The columns of the result. Without include_sources, sources are not named, and so
 * not read.
 */
static char *
result_sql(bool include_sources)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 1; i <= RAG_NRESULTS; i++)
	{
		RagColumn col = rag_result_column(i);
		bool left_out = col == COL_SOURCES && !include_sources;

		appendStringInfo(&list, "%s%s AS %s", i > 1 ? ", " : "",
						 left_out ? "NULL::pg_catalog.jsonb" : rag_column_sql(col),
						 rag_columns[col].name);
	}
	return list.data;
}

static const RagStatement *
page_statement(const RagPage *page)
{
	static const char *const operators[2][2] = {{"<", "<="}, {">", ">="}};
	static RagStatement statements[2][2][2];
	bool after = page->scan.after;
	RagStatement *statement =
		&statements[after][page->scan.inclusive][page->include_sources];

	if (statement->sql == NULL)
	{
		char *sql = psprintf(after ? AFTER : BEFORE, result_sql(page->include_sources),
							 operators[after][page->scan.inclusive]);

		statement->nargs = 3;
		statement->argtypes[0] = UUIDOID;
		statement->argtypes[1] = INT8OID;
		statement->argtypes[2] = INT4OID;
		statement->sql = MemoryContextStrdup(TopMemoryContext, sql);
	}
	return statement;
}

RagSession
rag_begin_reading(FunctionCallInfo fcinfo, int user_id_arg)
{
	RagSession session = rag_session_argument(fcinfo, user_id_arg, "messages");

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	rag_require_session(&session);
	return session;
}

static void
return_page(FunctionCallInfo fcinfo, Oid nspoid, RagPage *page, int max_arg)
{
	Datum values[] = {PG_GETARG_DATUM(0), Int64GetDatum(page->scan.id),
					  PG_GETARG_DATUM(max_arg)};
	char nulls[] = {' ', ' ', PG_ARGISNULL(max_arg) ? 'n' : ' '};

	page->scan.session_id = PG_GETARG_UUID_P(0);
	page->max = PG_ARGISNULL(max_arg) ? PG_INT32_MAX : PG_GETARG_INT32(max_arg);
	page->include_sources = PG_ARGISNULL(4) || PG_GETARG_BOOL(4);
	if (!rag_return_page_directly(fcinfo, nspoid, page))
		rag_return_rows(fcinfo, page_statement(page), nspoid, values, nulls);
	SPI_finish();
}

/*
 * rag_get_messages(session_id uuid, max_messages integer DEFAULT 50,
 *					before_id bigint DEFAULT NULL, user_id text DEFAULT NULL,
 *					include_sources boolean DEFAULT true)
 *		returns table (id bigint, role text, content text, created_at timestamp,
 *					   sources jsonb, latency_ms double precision, top_k integer,
 *					   query_type text, token_count integer, metadata jsonb,
 *					   idempotency_key text)
 *
 * Returns the last max_messages messages of a session (NULL: all), or the last before
 * before_id, in the order of their ids. The first id of a page is the before_id of the
 * page before it. Without include_sources, sources is NULL and is not read. With
 * user_id the session must be that user's.
 *
 * Errors: 22004 session_id is NULL; 22023 max_messages is negative; 23503 no such
 * session. Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_get_messages);
Datum
rag_get_messages(PG_FUNCTION_ARGS)
{
	RagPage page = {.scan = {.direction = BackwardScanDirection,
							 .id = PG_ARGISNULL(2) ? PG_INT64_MAX : PG_GETARG_INT64(2),
							 .inclusive = PG_ARGISNULL(2)}};
	RagSession session;

	rag_check_max(fcinfo, 1, "max_messages");
	session = rag_begin_reading(fcinfo, 3);
	return_page(fcinfo, session.nspoid, &page, 1);
	return (Datum) 0;
}

/*
 * rag_get_messages_after(session_id uuid, after_id bigint,
 *						  max_messages integer DEFAULT 50, user_id text DEFAULT NULL,
 *						  include_sources boolean DEFAULT true)
 *		returns table, as rag_get_messages() does
 *
 * Returns the first max_messages messages (NULL: all) of a session after after_id
 * (NULL: from the beginning), in the order of their ids. Whoever follows a session
 * gives the last id that he has seen: no message that the functions wrote is
 * skipped.
 *
 * Errors: as rag_get_messages(). Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_get_messages_after);
Datum
rag_get_messages_after(PG_FUNCTION_ARGS)
{
	RagPage page = {.scan = {.direction = ForwardScanDirection,
							 .after = true,
							 .id = PG_ARGISNULL(1) ? PG_INT64_MIN : PG_GETARG_INT64(1),
							 .inclusive = PG_ARGISNULL(1)}};
	RagSession session;

	rag_check_max(fcinfo, 2, "max_messages");
	session = rag_begin_reading(fcinfo, 3);
	return_page(fcinfo, session.nspoid, &page, 2);
	return (Datum) 0;
}
