/*
 * base/distributed.h
 *		Are the tables of the extension distributed over several machines?
 *
 *		Citus does that. Sessions are distributed by id, and messages and feedback by
 *		session_id, so that a session is on one node with all that belongs to it. Only
 *		this module looks whether it is so; base/statement.h has the form of statements
 *		that fits, and cluster/ has what else is different.
 */
#ifndef RAG_DISTRIBUTED_H
#define RAG_DISTRIBUTED_H

#include "base/compat.h"

/* Are the tables in this schema distributed? */
extern bool rag_is_distributed(Oid nspoid);

/* Are they, and is this another node than the coordinator? */
extern bool rag_is_other_node(Oid nspoid);

/*
 * What is not distributed is on the coordinator. Raises 55000 on other nodes; function
 * is the one that needs it.
 */
extern void rag_require_coordinator(const char *function, Oid nspoid);

#endif /* RAG_DISTRIBUTED_H */
