/*
 * write/insert_direct.h
 *		Inserting messages without an INSERT, where that makes no difference.
 */
#ifndef RAG_INSERT_DIRECT_H
#define RAG_INSERT_DIRECT_H

#include "base/compat.h"

#include "utils/relcache.h"

#include "message/message.h"
#include "write/insert_facts.h"

/*
 * Stores the messages straight into the table, which is open, and to which
 * rag_insert_obstacle() knows no obstacle. given is the mask of the optional columns
 * that any of the messages has. They have ids, and their session is locked.
 */
extern void rag_insert_directly(Relation rel, const RagInsertFacts *facts,
								RagMessage **messages, int n, int given);

#endif /* RAG_INSERT_DIRECT_H */
