/*
 * cluster/prepare_node.h
 *		The tables of one node in the form that they need to be distributed.
 */
#ifndef RAG_PREPARE_NODE_H
#define RAG_PREPARE_NODE_H

#include "base/compat.h"

/*
 * Gives the tables of this node the form that they need to be distributed: ids are
 * bigint, the session is part of the key, and the sequence goes on after last_id with the
 * node's own remainder. Never back: an id may have been drawn whose message has gone.
 */
extern void rag_prepare_tables(Oid nspoid, int64 last_id);

#endif /* RAG_PREPARE_NODE_H */
