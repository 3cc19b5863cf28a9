/*
 * base/distributed.h
 *		Are the tables of the extension distributed over several machines?
 *
 *		Citus does that. Sessions are distributed by id, and messages and feedback by
 *		session_id, so that a session is on one node with all that belongs to it. Only
 *		this module knows whether it is so; base/statement.h has the form of statements
 *		that fits, and cluster/ has what else is different.
 */
#ifndef RAG_DISTRIBUTED_H
#define RAG_DISTRIBUTED_H

#include "base/compat.h"

#include "storage/lockdefs.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

/*
 * The tables that are distributed, each after those that it refers to, and the column
 * that is the id of the session. (Usage by day and the log of migrations stay on their
 * node.)
 */
enum
{
	RAG_SESSIONS,
	RAG_MESSAGES,
	RAG_FEEDBACK,
	RAG_NDISTRIBUTED
};

typedef struct RagDistributedTable
{
	const char *name;
	const char *column;
} RagDistributedTable;

extern const RagDistributedTable rag_distributed_tables[RAG_NDISTRIBUTED];

/* Are the tables in this schema distributed? */
extern bool rag_is_distributed(Oid nspoid);

/* Are they, and is this another node than the coordinator? */
extern bool rag_is_other_node(Oid nspoid);

/*
 * What is not distributed is on the coordinator. Raises 55000 on other nodes; function
 * is the one that needs it.
 */
extern void rag_require_coordinator(const char *function, Oid nspoid);

/*
 * The shards that have the rows of a session: ordinary tables of the node that they are
 * on, whose names end with these numbers. The first number tells them from others; it is
 * 0 where there are none.
 */
typedef struct RagShards
{
	int64 ids[RAG_NDISTRIBUTED];
} RagShards;

#define RAG_NO_SHARDS ((RagShards){{0}})

/*
 * The shards of a session, if they are on this node and may be used there straight away;
 * then Citus knows of it. If rows are to be changed or locked, no shards of the session
 * are moved until the end of the transaction, wherever they are.
 */
extern RagShards rag_enter_shards(Oid nspoid, const pg_uuid_t *session_id, bool change);

/* May the shards that are on this node be used straight away, as things are? */
extern bool rag_may_enter_shards(void);

/* The number of the shard that the session is in, wherever that is; or 0. */
extern int64 rag_shard_of(Oid nspoid, const pg_uuid_t *session_id);

/* Are both sessions known to be in one shard? */
extern bool rag_in_one_shard(Oid nspoid, const pg_uuid_t *a, const pg_uuid_t *b);

/*
 * Opens the table that has the session's rows, as rag_open_table() does: its shard if
 * rag_enter_shards() has one, otherwise the table itself. A lock that lets nobody change
 * rows is for reading them.
 */
extern Relation rag_open_table_of(const pg_uuid_t *session_id, int table, Oid nspoid,
								  LOCKMODE lockmode);

#endif /* RAG_DISTRIBUTED_H */
