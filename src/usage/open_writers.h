/*
 * usage/open_writers.h
 *		Transactions that write to a table.
 */
#ifndef RAG_OPEN_WRITERS_H
#define RAG_OPEN_WRITERS_H

#include "base/compat.h"

/*
 * Waits until the transactions have ended that have written to messages so far, on all
 * nodes. Those that begin to write meanwhile are not waited for, and nobody waits for us.
 */
extern void rag_wait_for_open_writers(Oid nspoid);

#endif /* RAG_OPEN_WRITERS_H */
