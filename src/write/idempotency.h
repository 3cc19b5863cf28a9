/*
 * write/idempotency.h
 *		Finding the messages that were stored before, by their idempotency keys.
 */
#ifndef RAG_IDEMPOTENCY_H
#define RAG_IDEMPOTENCY_H

#include "base/compat.h"

#include "message/message.h"

/*
 * Finds the messages that are in the session already: sets COL_ID of those, and
 * repeats of each message that repeats an earlier one of the n. Raises 23505 for a
 * key that was used for another role or content. All messages are of one session,
 * which is locked. The caller is connected to SPI.
 */
extern void rag_find_repeated(RagMessage *messages, int n, Oid nspoid);

/*
 * Finds the message of the session that has the key of this one: sets COL_ID and returns
 * true. Raises 23505 if it has another role. The caller is connected to SPI.
 */
extern bool rag_find_by_key(RagMessage *message, Oid nspoid);

#endif /* RAG_IDEMPOTENCY_H */
