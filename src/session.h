/*
 * session.h
 *		Sessions: creating them, and touching them when a message is written.
 */
#ifndef RAG_SESSION_H
#define RAG_SESSION_H

#include "compat.h"

#include "utils/uuid.h"

/*
 * Locks the session until the end of the transaction and sets its updated_at.
 * Raises 23503 when the session does not exist or, with a user_id other than
 * NULL, is not that user's. The caller is connected to SPI.
 */
extern void rag_touch_session(Oid nspoid, const pg_uuid_t *session_id,
							  const text *user_id);

#endif							/* RAG_SESSION_H */
