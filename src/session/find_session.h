/*
 * session/find_session.h
 *		Finding, locking and touching a session.
 *
 *		A session that is not user_id's counts as one that does not exist. The caller
 *		is connected to SPI.
 */
#ifndef RAG_FIND_SESSION_H
#define RAG_FIND_SESSION_H

#include "base/compat.h"

#include "utils/jsonb.h"

#include "session/session.h"

/*
 * Locks the session until the end of the transaction and sets its updated_at. Raises
 * 23503 when it does not exist.
 */
extern void rag_touch_session(const RagSession *session);

/* The same, but returns false when it does not exist. */
extern bool rag_try_touch_session(const RagSession *session);

/*
 * Locks the session until the end of the transaction, as a touch does, and writes
 * nothing. Returns false when it does not exist.
 */
extern bool rag_lock_session(const RagSession *session);

/* The same as a DELETE does. */
extern bool rag_lock_session_for_delete(const RagSession *session);

/* As rag_lock_session(), but raises 23503 when it does not exist. */
extern void rag_lock_existing_session(const RagSession *session);

/*
 * Raises 23503 when the session does not exist. Sees what the calling query sees, and
 * locks nothing.
 */
extern void rag_require_session(const RagSession *session);

/*
 * The metadata of the session, or NULL; in the caller's memory. Raises 23503 when the
 * session does not exist. Sees what the calling query sees, and locks nothing.
 */
extern Jsonb *rag_read_metadata(const RagSession *session);

/* Does the session exist, as a new command sees it? Locks nothing. */
extern bool rag_session_exists(const RagSession *session);

#endif /* RAG_FIND_SESSION_H */
