/*
 * cluster/by_shard.h
 *		Splitting ids of sessions by the shards that they are in.
 */
#ifndef RAG_BY_SHARD_H
#define RAG_BY_SHARD_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/array.h"

/*
 * Arrays of the ids, uuid[], such that those of each are in one shard: Citus locks only
 * rows of a single shard in a statement. The caller is connected to SPI, and the tables
 * are distributed.
 */
extern List *rag_split_by_shard(ArrayType *ids, Oid nspoid);

#endif /* RAG_BY_SHARD_H */
