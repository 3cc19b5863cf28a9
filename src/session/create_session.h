/*
 * session/create_session.h
 *		Storing the row of a new session. The caller is connected to SPI.
 */
#ifndef RAG_CREATE_SESSION_H
#define RAG_CREATE_SESSION_H

#include "base/compat.h"

#include "session/session.h"

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
 * Locks the session as rag_lock_session() does, or with touch as
 * rag_touch_session() does. One that is missing is created for user_id (NULL: for
 * nobody). Raises 23505 where it is there and another user's.
 */
extern void rag_claim_session(const RagSession *session, bool touch);

#endif /* RAG_CREATE_SESSION_H */
