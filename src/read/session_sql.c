/*
 * read/session_sql.c
 *		What the functions that show sessions share: titles, previews, cursors.
 */
#include "base/compat.h"

#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/statement.h"
#include "read/session_sql.h"

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

/* The beginning of the message takes the place of "%s". */
#define PREVIEW \
	"(SELECT %s FROM" \
	" (SELECT role, content FROM @extschema@.messages" \
	" WHERE " RAG_LOCAL("session_id OPERATOR(pg_catalog.>=) s.id" \
						" AND session_id OPERATOR(pg_catalog.<=) s.id") \
		RAG_DISTRIBUTED("session_id OPERATOR(pg_catalog.=) s.id") " ORDER BY session_id, id LIMIT " PREVIEW_MESSAGES ") AS m" \
																  " WHERE m.role::pg_catalog.text OPERATOR(pg_catalog.=) 'user' LIMIT 1)"

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

const char *
rag_session_sql(const char *format)
{
	char *title = beginning_sql("(s.metadata OPERATOR(pg_catalog.->>) 'title')");
	char *preview = psprintf(PREVIEW, beginning_sql("m.content::pg_catalog.text"));

	return MemoryContextStrdup(TopMemoryContext, psprintf(format, title, preview));
}

void
rag_decode_cursor(const char *cursor, Timestamp *updated_at, pg_uuid_t *id)
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
