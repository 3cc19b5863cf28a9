/*
 * session/session.h
 *		A session that a function is called for: finding, locking and touching it.
 */
#ifndef RAG_SESSION_H
#define RAG_SESSION_H

#include "base/compat.h"

#include "utils/uuid.h"

/* The columns of sessions, in the order of an INSERT's parameters. */
enum
{
	SESSION_ID,
	SESSION_USER_ID,
	SESSION_METADATA,
	SESSION_CREATED_AT,
	SESSION_UPDATED_AT,
	RAG_SESSION_NCOLUMNS
};

/* Which session is meant: with a user_id, it must be that user's. */
typedef struct RagSession
{
	Oid nspoid; /* the schema of the extension */
	const pg_uuid_t *id;
	const text *user_id; /* or NULL */
} RagSession;

/*
 * The session that the arguments of a function name: session_id is the first of them,
 * and user_id has the number user_id_arg. Raises 22004 where session_id is NULL.
 */
extern RagSession rag_session_argument(FunctionCallInfo fcinfo, int user_id_arg);

/*
 * A statement on the session with the id $1, and the same with the user_id $2, as an
 * array of two: [user_id != NULL] chooses. (They are two statements, as the caller may
 * have no right to the column user_id.)
 */
#define RAG_ON_SESSION(before, after) \
	{ \
		{before " WHERE id OPERATOR(pg_catalog.=) $1" after, 1, {UUIDOID}}, \
		{ \
			before " WHERE id OPERATOR(pg_catalog.=) $1" \
				   " AND user_id::pg_catalog.text OPERATOR(pg_catalog.=) $2" after, \
				2, \
			{ \
				UUIDOID, TEXTOID \
			} \
		} \
	}

/*
 * In all that follows, a session that is not user_id's counts as one that does not
 * exist; and the caller is connected to SPI.
 */

/*
 * Creates a session. The times are those of the columns' defaults where they are
 * null. Raises 23505 where the session is there, 27000 where a trigger or rule
 * discarded it.
 */
extern void rag_insert_session(Oid nspoid, const Datum *values, const char *nulls);

/*
 * The same, but leaves a session alone that is there with the same user_id (NULL:
 * nobody's), and takes neither of the times. Raises 23505 where it is another user's.
 */
extern void rag_insert_missing_session(const RagSession *session, const Datum *values,
									   const char *nulls);

/*
 * Locks the session until the end of the transaction and sets its updated_at. Raises
 * 23503 when it does not exist.
 */
extern void rag_touch_session(const RagSession *session);

/*
 * Locks the session until the end of the transaction, as a touch does, and writes
 * nothing. Returns false when it does not exist.
 */
extern bool rag_lock_session(const RagSession *session);

/* The same, but raises 23503 when it does not exist. */
extern void rag_lock_existing_session(const RagSession *session);

/*
 * Locks the session as rag_lock_session() does, or with touch as
 * rag_touch_session() does. One that is missing is created for user_id (NULL: for
 * nobody). Raises 23505 where it is there and another user's.
 */
extern void rag_claim_session(const RagSession *session, bool touch);

/*
 * Raises 23503 when the session does not exist. Sees what the calling query sees, and
 * locks nothing.
 */
extern void rag_require_session(const RagSession *session);

/* Does the session exist, as a new command sees it? Locks nothing. */
extern bool rag_session_exists(const RagSession *session);

#endif /* RAG_SESSION_H */
