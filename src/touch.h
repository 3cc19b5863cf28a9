/*
 * touch.h
 *		Touching a session without an UPDATE, and seeing it without a SELECT, where that
 *		makes no difference.
 */
#ifndef RAG_TOUCH_H
#define RAG_TOUCH_H

#include "compat.h"

#include "utils/uuid.h"

/*
 * Locks the session as an UPDATE does, sets its updated_at and returns true; or
 * returns false, with nothing done, where only an UPDATE knows what is to be done:
 * the table is not plain for the caller, somebody else has just changed the session, or
 * there is no such session (of user_id, if not NULL).
 */
extern bool rag_touch_directly(Oid nspoid, const pg_uuid_t *session_id,
							   const text *user_id);

/*
 * Returns true if the session is there (and user_id's, if not NULL), as a SELECT of a
 * STABLE function would see it; or false where only a SELECT knows: the table is not
 * plain for the caller, or there is no such session.
 */
extern bool rag_see_directly(Oid nspoid, const pg_uuid_t *session_id,
							 const text *user_id);

#endif /* RAG_TOUCH_H */
