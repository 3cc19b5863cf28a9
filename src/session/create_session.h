/*
 * session/create_session.h
 *		Storing the row of a new session. The caller is connected to SPI.
 */
#ifndef RAG_CREATE_SESSION_H
#define RAG_CREATE_SESSION_H

#include "base/compat.h"

#include "session/session.h"

/*
 * Creates a session. A time that is null gets the default of its column. Raises 23505
 * if the session exists, and 27000 if a trigger or rule discarded it.
 */
extern void rag_insert_session(Oid nspoid, const Datum *values, const char *nulls);

/*
 * The same, except that a session that exists with the same user_id (NULL: nobody's)
 * is left alone, and that times are not taken. Raises 23505 if it is another user's.
 */
extern void rag_insert_missing_session(const RagSession *session, const Datum *values,
									   const char *nulls);

/*
 * Locks the session as rag_lock_session() does or, with touch, as rag_touch_session()
 * does. A session that does not exist is created for user_id (NULL: for nobody).
 * Raises 23505 if it exists and is another user's.
 */
extern void rag_claim_session(const RagSession *session, bool touch);

#define RAG_MAX_USER_ID_BYTES 2000

/* Raises 22001 if the user_id, which may be NULL, is longer than that. */
extern void rag_check_user_id(const text *user_id, Oid nspoid);

#endif /* RAG_CREATE_SESSION_H */
