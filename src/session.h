/*
 * session.h
 *		Sessions: looking them up, locking them, and touching them when a message is
 *		written.
 */
#ifndef RAG_SESSION_H
#define RAG_SESSION_H

#include "compat.h"

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

/*
 * Creates a session. The times are those of the columns' defaults where they are
 * null. Raises 23505 where the session is there, 27000 where a trigger or rule
 * discarded it. The caller is connected to SPI.
 */
extern void rag_insert_session(Oid nspoid, const Datum *values, const char *nulls);

/*
 * Locks the session until the end of the transaction and sets its updated_at.
 * Raises 23503 when the session does not exist or, with a user_id other than
 * NULL, is not that user's. The caller is connected to SPI.
 */
extern void rag_touch_session(Oid nspoid, const pg_uuid_t *session_id,
							  const text *user_id);

/* The same, but returns false where there is no such session. */
extern bool rag_try_touch_session(Oid nspoid, const pg_uuid_t *session_id,
								  const text *user_id);

/*
 * Locks the session until the end of the transaction, as a touch does, and writes
 * nothing. Returns false when it does not exist or is not user_id's. The caller is
 * connected to SPI.
 */
extern bool rag_lock_session(Oid nspoid, const pg_uuid_t *session_id,
							 const text *user_id);

/* The same, but raises 23503 where there is no such session. */
extern void rag_lock_existing_session(Oid nspoid, const pg_uuid_t *session_id,
									  const text *user_id);

/*
 * Raises 23503 when the session does not exist or, with a user_id other than NULL,
 * is not that user's. Sees what the calling query sees, and locks nothing. The
 * caller is connected to SPI.
 */
extern void rag_require_session(Oid nspoid, const pg_uuid_t *session_id,
								const text *user_id);

/*
 * Locks the session as rag_lock_session() does, or with touch as
 * rag_touch_session() does. One that is missing is created for user_id (NULL: for
 * nobody). Raises 23505 where it is there and another user's. The caller is
 * connected to SPI.
 */
extern void rag_claim_session(Oid nspoid, const pg_uuid_t *session_id,
							  const text *user_id, bool touch);

#endif /* RAG_SESSION_H */
