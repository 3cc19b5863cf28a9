/*
 * write/insert.h
 *		Storing the rows of new messages.
 */
#ifndef RAG_INSERT_H
#define RAG_INSERT_H

#include "base/compat.h"

#include "message/message.h"

/*
 * Gives the messages their ids, in their order. Their session must be locked, or not
 * be visible to anybody else yet: then the order of ids is the order of commits.
 */
extern void rag_draw_ids(RagMessage **messages, int n, Oid nspoid);

/*
 * Stores the messages. They are checked, have their ids, and are all of one session,
 * which is locked. optional is the mask of the optional columns that have a value in
 * any of them. The caller is connected to SPI. Raises 27000 where a trigger or a rule
 * discarded a message.
 */
extern void rag_insert_messages(RagMessage **messages, int n, int optional, Oid nspoid);

#endif /* RAG_INSERT_H */
