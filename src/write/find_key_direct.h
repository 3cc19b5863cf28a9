/*
 * write/find_key_direct.h
 *		Finding a message by its idempotency key without a SELECT, where that makes no
 *		difference.
 */
#ifndef RAG_FIND_KEY_DIRECT_H
#define RAG_FIND_KEY_DIRECT_H

#include "base/compat.h"

#include "message/message.h"

/* What was found: the values are copies. */
typedef struct RagKeyMatch
{
	bool found;
	int64 id;
	text *role; /* or NULL */
} RagKeyMatch;

/*
 * Looks for the message of this one's session that has its key, and returns true. Returns
 * false, with nothing done, if only a SELECT can tell: the table is not plain for the
 * caller, or has no such unique index as we made.
 */
extern bool rag_find_key_directly(const RagMessage *message, Oid nspoid,
								  RagKeyMatch *match);

#endif /* RAG_FIND_KEY_DIRECT_H */
