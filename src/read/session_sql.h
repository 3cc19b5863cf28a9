/*
 * read/session_sql.h
 *		What the functions that show sessions share: titles, previews, cursors.
 */
#ifndef RAG_SESSION_SQL_H
#define RAG_SESSION_SQL_H

#include "base/compat.h"

#include "utils/timestamp.h"
#include "utils/uuid.h"

/* Whose sessions: those of the user $1, or nobody's. */
#define RAG_OF_USER "user_id::pg_catalog.text OPERATOR(pg_catalog.=) $1"
#define RAG_OF_NOBODY "user_id IS NULL"

/* Only those after the cursor, which is $3 and $4. */
#define RAG_AFTER_CURSOR \
	"($3 IS NULL OR ROW(updated_at, id) OPERATOR(pg_catalog.<) ROW($3, $4))"

/* The order of a list: latest activity first. */
#define RAG_LIST_ORDER " ORDER BY updated_at DESC, id DESC"

/* A cursor: the place of the row of the session s in the list. */
#define RAG_CURSOR \
	"pg_catalog.encode(pg_catalog.timestamp_send(s.updated_at::pg_catalog.timestamp)" \
	" OPERATOR(pg_catalog.||) pg_catalog.uuid_send(s.id), 'hex')"

/* The metadata's title, of any length. */
#define RAG_TITLE "(metadata::pg_catalog.jsonb OPERATOR(pg_catalog.->>) 'title')"

/*
 * A statement that shows the session s: title and preview, as SQL, take the places of
 * two "%s" in the format. The result is kept for good.
 */
extern const char *rag_session_sql(const char *format);

/*
 * The place that a cursor stands for, as parameters $3 and $4. Raises 22023 if it is
 * none.
 */
extern void rag_decode_cursor(const char *cursor, Timestamp *updated_at, pg_uuid_t *id);

#endif /* RAG_SESSION_SQL_H */
