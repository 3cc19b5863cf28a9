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

#include "base/error.h"
#include "base/statement.h"
#include "session/session.h"
#include "read/get_messages.h"
#include "read/get_messages_direct.h"

/* The columns of the result, in order. Sources that are not named are not read. */
#define MESSAGE(sources) \
	"SELECT id::pg_catalog.int8 AS id, role::pg_catalog.text AS role," \
	" content::pg_catalog.text AS content, created_at, " sources " AS sources," \
	" latency_ms, top_k, query_type::pg_catalog.text AS query_type, token_count," \
	" metadata, idempotency_key::pg_catalog.text AS idempotency_key" \
	" FROM %1$s.messages"

#define NO_SOURCES "NULL::pg_catalog.jsonb"

#define NEWEST(sources) \
	MESSAGE(sources) \
	" WHERE ROW(session_id, id) OPERATOR(pg_catalog.<) ROW($1, $2)" \
	" AND session_id OPERATOR(pg_catalog.>=) $1" \
	" ORDER BY session_id DESC, messages.id DESC LIMIT $3"

#define BEFORE(sources) "SELECT * FROM (" NEWEST(sources) ") AS m ORDER BY id"

#define AFTER(sources) \
	MESSAGE(sources) \
	" WHERE ROW(session_id, id) OPERATOR(pg_catalog.>) ROW($1, $2)" \
	" AND session_id OPERATOR(pg_catalog.<=) $1" \
	" ORDER BY session_id, messages.id LIMIT $3"

/* Without sources, and with them. */
static const RagStatement before[] = {
	{BEFORE(NO_SOURCES), 3, {UUIDOID, INT8OID, INT4OID}},
	{BEFORE("sources"), 3, {UUIDOID, INT8OID, INT4OID}}};

static const RagStatement after[] = {
	{AFTER(NO_SOURCES), 3, {UUIDOID, INT8OID, INT4OID}},
	{AFTER("sources"), 3, {UUIDOID, INT8OID, INT4OID}}};

RagSession
rag_begin_reading(FunctionCallInfo fcinfo, int user_id_arg)
{
	RagSession session = rag_session_argument(fcinfo, user_id_arg);

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	rag_require_session(&session);
	return session;
}

/* The statements are those for the direction: without sources, and with them. */
static void
return_page(FunctionCallInfo fcinfo, const RagStatement *statements, Oid nspoid,
			RagPage *page, int max_arg)
{
	Datum values[] = {PG_GETARG_DATUM(0), Int64GetDatum(page->id),
					  PG_GETARG_DATUM(max_arg)};
	char nulls[] = {' ', ' ', PG_ARGISNULL(max_arg) ? 'n' : ' '};

	page->session_id = PG_GETARG_UUID_P(0);
	page->max = PG_ARGISNULL(max_arg) ? PG_INT32_MAX : PG_GETARG_INT32(max_arg);
	page->include_sources = PG_ARGISNULL(4) || PG_GETARG_BOOL(4);
	if (!rag_return_page_directly(fcinfo, nspoid, page))
		rag_return_rows(fcinfo, &statements[page->include_sources], nspoid, values,
						nulls);
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
	RagPage page = {.direction = BackwardScanDirection,
					.id = PG_ARGISNULL(2) ? PG_INT64_MAX : PG_GETARG_INT64(2)};
	RagSession session;

	rag_check_max(fcinfo, 1, "max_messages");
	session = rag_begin_reading(fcinfo, 3);
	return_page(fcinfo, before, session.nspoid, &page, 1);
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
	RagPage page = {.direction = ForwardScanDirection,
					.id = PG_ARGISNULL(1) ? PG_INT64_MIN : PG_GETARG_INT64(1)};
	RagSession session;

	rag_check_max(fcinfo, 2, "max_messages");
	session = rag_begin_reading(fcinfo, 3);
	return_page(fcinfo, after, session.nspoid, &page, 2);
	return (Datum) 0;
}
