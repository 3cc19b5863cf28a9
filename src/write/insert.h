/*
 * write/insert.h
 *		Storing the rows of new messages.
 */
#ifndef RAG_INSERT_H
#define RAG_INSERT_H

#include "base/compat.h"

#include "utils/uuid.h"

#include "message/message.h"

/*
 * Gives the messages their ids, in their order. Their session must be locked: then the
 * order of ids is the order of commits. It is NULL where nobody else sees it yet, and it
 * has no messages. The caller is connected to SPI.
 */
extern void rag_draw_ids(RagMessage **messages, int n, Oid nspoid,
						 const pg_uuid_t *session_id);

/*
 * Stores the messages, of which there is at least one. They are checked, have their ids,
 * and are all of one session, which is locked. The caller is connected to SPI. Raises
 * 27000 where a trigger or a rule discarded a message.
 */
extern void rag_insert_messages(RagMessage **messages, int n, Oid nspoid);

#endif /* RAG_INSERT_H */
