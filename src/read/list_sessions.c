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
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/error.h"
#include "base/schema.h"
#include "base/statement.h"

/*
 * The preview is the first message of the user among so many messages from the
 * beginning of a session, and has so many characters of it.
 */
#define PREVIEW_MESSAGES "10"
#define PREVIEW_LENGTH "200"

/*
 * A cursor is the place of its row in the list: updated_at and id, in hexadecimal, as
 * timestamp_send() and uuid_send() write them.
 */
#define CURSOR_BYTES (sizeof(int64) + UUID_LEN)

#define OF_USER "user_id::pg_catalog.text OPERATOR(pg_catalog.=) $1"
#define OF_NOBODY "user_id IS NULL"

/* The beginnings of the title and of the message take the places of "%s". */
#define LIST(condition) \
	"SELECT s.id, %s, (SELECT %s FROM" \
	" (SELECT role, content FROM @extschema@.messages" \
	" WHERE session_id OPERATOR(pg_catalog.>=) s.id" \
	" AND session_id OPERATOR(pg_catalog.<=) s.id" \
	" ORDER BY session_id, id LIMIT " PREVIEW_MESSAGES ") AS m" \
	" WHERE m.role::pg_catalog.text OPERATOR(pg_catalog.=) 'user' LIMIT 1)," \
	" s.created_at, s.updated_at, s.metadata," \
	" pg_catalog.encode(pg_catalog.timestamp_send(s.updated_at)" \
	" OPERATOR(pg_catalog.||) pg_catalog.uuid_send(s.id), 'hex')" \
	" FROM (SELECT id, created_at, updated_at, metadata FROM @extschema@.sessions" \
	" WHERE " condition \
	" AND ($3 IS NULL OR ROW(updated_at, id) OPERATOR(pg_catalog.<) ROW($3, $4))" \
	" ORDER BY updated_at DESC, id DESC LIMIT $2) AS s" \
	" ORDER BY s.updated_at DESC, s.id DESC"

/*
 * The beginning of a text. In a database whose encoding is SQL_ASCII a character is a
 * byte: there the last character of several bytes is left out, which may not be whole.
 */
static char *
beginning_sql(const char *text)
{
	if (GetDatabaseEncoding() != PG_SQL_ASCII)
		return psprintf("pg_catalog.left(%s, " PREVIEW_LENGTH ")", text);
	return psprintf("CASE WHEN pg_catalog.length(%s) OPERATOR(pg_catalog.<=) " PREVIEW_LENGTH
					" THEN %s ELSE pg_catalog.regexp_replace(pg_catalog.left(%s, " PREVIEW_LENGTH "),"
					" '[\\xc0-\\xff][\\x80-\\xbf]*$', '') END",
					text, text, text);
}

static const RagStatement *
list_statement(bool has_user)
{
	static RagStatement statements[2] = {
		{NULL, 4, {TEXTOID, INT4OID, TIMESTAMPOID, UUIDOID}},
		{NULL, 4, {TEXTOID, INT4OID, TIMESTAMPOID, UUIDOID}}};
	RagStatement *statement = &statements[has_user];

	if (statement->sql == NULL)
	{
		char *title = beginning_sql("(s.metadata OPERATOR(pg_catalog.->>) 'title')");
		char *preview = beginning_sql("m.content::pg_catalog.text");
		char *sql = psprintf(has_user ? LIST(OF_USER) : LIST(OF_NOBODY), title, preview);

		statement->sql = MemoryContextStrdup(TopMemoryContext, sql);
	}
	return statement;
}

static void
decode_cursor(const char *cursor, Timestamp *updated_at, pg_uuid_t *id)
{
	char bytes[CURSOR_BYTES];
	uint64 time;

	if (strlen(cursor) != 2 * CURSOR_BYTES ||
		strspn(cursor, "0123456789abcdef") != 2 * CURSOR_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid cursor"),
				 errhint("Give the cursor of the last row of the page before.")));
	hex_decode(cursor, 2 * CURSOR_BYTES, bytes);
	memcpy(&time, bytes, sizeof(time));
	*updated_at = (Timestamp) pg_ntoh64(time);
	memcpy(id->data, bytes + sizeof(time), UUID_LEN);
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
		decode_cursor(text_to_cstring(PG_GETARG_TEXT_PP(2)), &updated_at, &id);

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
