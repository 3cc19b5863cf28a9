/*
 * session/find_session_direct.h
 *		Touching, locking and seeing a session without a statement, where that makes no
 *		difference.
 */
#ifndef RAG_FIND_SESSION_DIRECT_H
#define RAG_FIND_SESSION_DIRECT_H

#include "base/compat.h"

#include "nodes/lockoptions.h"

#include "session/session.h"

/*
 * Locks the session as an UPDATE does, sets its updated_at and returns true. Returns
 * false, with nothing done, if only an UPDATE can do it: the table is not plain for
 * the caller, somebody else has just changed the session, or there is no such session
 * (of user_id, if not NULL).
 */
extern bool rag_touch_directly(const RagSession *session);

/*
 * Locks the session as SELECT FOR NO KEY UPDATE does, or FOR UPDATE (LockTupleExclusive),
 * and returns true. Returns false, with nothing done, if only that can do it: the table
 * is not plain for the caller, somebody else has a lock, or there is no such session.
 */
extern bool rag_lock_directly(const RagSession *session, LockTupleMode mode);

/*
 * Returns true if the session exists (and is user_id's, if not NULL), as a SELECT of
 * a STABLE function would see it. Returns false if only a SELECT can tell: the table
 * is not plain for the caller, or there is no such session.
 */
extern bool rag_see_directly(const RagSession *session);

#endif /* RAG_FIND_SESSION_DIRECT_H */
