/*
 * write/delete_direct.h
 *		Deleting sessions, or messages of one, without a DELETE, where that makes no
 *		difference.
 */
#ifndef RAG_DELETE_DIRECT_H
#define RAG_DELETE_DIRECT_H

#include "base/compat.h"

#include "session/session.h"

/*
 * Can sessions be deleted so now, and may the caller lock them? (Whoever may delete them
 * need not be allowed to update them.)
 */
extern bool rag_may_delete_sessions_directly(Oid nspoid);

/*
 * Deletes the sessions with these ids, which are locked, and their messages, adds their
 * numbers to *sessions and *messages, and returns true. Returns false if only statements
 * can do it: a table is not plain for the caller, or somebody else has just changed a
 * message. What was counted by then is deleted; the statements find the rest.
 */
extern bool rag_delete_sessions_directly(Oid nspoid, const Datum *ids, int n,
										 int64 *sessions, int64 *messages);

/*
 * The same for the message from_id of the session, which is locked, and all after it.
 */
extern bool rag_delete_messages_directly(const RagSession *session, int64 from_id,
										 int64 *messages);

/*
 * Has the session, which is locked, no feedback that a statement would find? False where
 * only a statement can tell.
 */
extern bool rag_sees_no_feedback(Datum session_id, Oid nspoid);

#endif /* RAG_DELETE_DIRECT_H */
