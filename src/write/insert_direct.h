/*
 * write/insert_direct.h
 *		Inserting messages without an INSERT, where that makes no difference.
 */
#ifndef RAG_INSERT_DIRECT_H
#define RAG_INSERT_DIRECT_H

#include "base/compat.h"

#include "message/message.h"

/*
 * Inserts the messages straight into the table and returns true; or returns false,
 * with nothing done, where the table is not plain for the caller and only an INSERT
 * would do all that is to be done. optional is the mask of the optional columns
 * that have values. The messages have ids, and their session is locked.
 */
extern bool rag_insert_directly(RagMessage **messages, int n, int optional,
								Oid nspoid);

#endif /* RAG_INSERT_DIRECT_H */
