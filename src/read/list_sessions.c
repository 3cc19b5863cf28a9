/*
 * read/list_sessions.c
 *		The sessions of a user, latest activity first.
 *
 *		There is no index on updated_at, which would keep the touch of a session from
 *		being HOT. So the user's sessions are all read by the index on user_id, but
 *		only for those of the page is a message looked at.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/error.h"
#include "base/schema.h"
#include "base/statement.h"
#include "read/session_sql.h"

/*
 * Title and preview take the places of "%s". Citus takes a subquery for each row of a
 * table, but of no subquery; there, each machine finds as many sessions as are asked for.
 */
#define LIST(condition) \
	"SELECT s.id, %s, %s, s.created_at, s.updated_at, s.metadata, " RAG_CURSOR " FROM " RAG_LOCAL("(SELECT id, created_at, updated_at, metadata FROM @extschema@.sessions") \
		RAG_DISTRIBUTED("@extschema@.sessions AS s") " WHERE " condition " AND " RAG_AFTER_CURSOR RAG_LIST_ORDER " LIMIT $2" RAG_LOCAL(") AS s" RAG_LIST_ORDER)

static const RagStatement *
list_statement(bool has_user)
{
	static RagStatement statements[2] = {
		{NULL, 4, {TEXTOID, INT4OID, TIMESTAMPOID, UUIDOID}},
		{NULL, 4, {TEXTOID, INT4OID, TIMESTAMPOID, UUIDOID}}};
	RagStatement *statement = &statements[has_user];

	if (statement->sql == NULL)
		statement->sql =
			rag_session_sql(has_user ? LIST(RAG_OF_USER) : LIST(RAG_OF_NOBODY));
	return statement;
}

/*
 * rag_list_sessions(user_id text, max_sessions integer DEFAULT 20,
 *					 after_cursor text DEFAULT NULL)
 *		returns table (session_id uuid, title text, preview text,
 *					   created_at timestamp, updated_at timestamp, metadata jsonb,
 *					   cursor text)
 *
 * Returns the sessions of a user (NULL: those of nobody), latest activity first, at
 * most max_sessions (NULL: all). title is the first 200 characters of the metadata's
 * title; preview those of the user's first message, if it is among the first 10. With
 * after_cursor, the list goes on after the row that had this cursor.
 *
 * Errors: 22023 max_sessions is negative, or after_cursor is none. Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_list_sessions);
Datum
rag_list_sessions(PG_FUNCTION_ARGS)
{
	bool has_user = !PG_ARGISNULL(0);
	bool has_cursor = !PG_ARGISNULL(2);
	Timestamp updated_at = 0;
	pg_uuid_t id = {0};
	Datum values[4];
	char nulls[] = {has_user ? ' ' : 'n', PG_ARGISNULL(1) ? 'n' : ' ',
					has_cursor ? ' ' : 'n', has_cursor ? ' ' : 'n'};

	rag_check_max(fcinfo, 1, "max_sessions");
	if (has_cursor)
		rag_decode_cursor(text_to_cstring(PG_GETARG_TEXT_PP(2)), &updated_at, &id);

	values[0] = PG_GETARG_DATUM(0);
	values[1] = PG_GETARG_DATUM(1);
	values[2] = TimestampGetDatum(updated_at);
	values[3] = UUIDPGetDatum(&id);

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	rag_return_rows(fcinfo, list_statement(has_user), rag_namespace(fcinfo),
					values, nulls);
	SPI_finish();
	return (Datum) 0;
}
