/*
 * usage/open_writers.c
 *		Transactions that write messages.
 *
 *		Whoever has inserted, updated or deleted a row holds the table's lock in the mode
 *		RowExclusiveLock until the end of the transaction, and if that is prepared, until
 *		it is committed. (WaitForLockers() would wait for others, too, such as VACUUM.)
 *		Where the tables are distributed, that is the lock of a shard on its node.
 */
#include "base/compat.h"

#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"

#include "base/distributed.h"
#include "base/error.h"
#include "base/schema.h"
#include "base/statement.h"
#include "base/workers.h"
#include "usage/open_writers.h"

static bool
writes_to(const LockInstanceData *lock, const List *tables)
{
	return lock->locktag.locktag_type == LOCKTAG_RELATION &&
		lock->locktag.locktag_field1 == MyDatabaseId &&
		(lock->holdMask & LOCKBIT_ON(RowExclusiveLock)) != 0 && lock->pid != MyProcPid &&
		list_member_oid(tables, lock->locktag.locktag_field2);
}

/* The shards of the table that this node has. */
static List *
shards_of(Oid table)
{
	MemoryContext caller = CurrentMemoryContext;
	List *shards = NIL;
	uint64 n;

	SPI_connect();
	n = rag_query_once(psprintf("SELECT s.oid FROM pg_catalog.pg_dist_shard d, LATERAL (SELECT"
								" pg_catalog.to_regclass(pg_catalog.shard_name(d.logicalrelid, d.shardid))::pg_catalog.oid"
								") AS s (oid) WHERE d.logicalrelid::pg_catalog.oid OPERATOR(pg_catalog.=) %u"
								" AND s.oid IS NOT NULL",
								table),
					   0, NULL, NULL);
	for (uint64 i = 0; i < n; i++)
	{
		MemoryContext mine = MemoryContextSwitchTo(caller);
		bool isnull;

		shards = lappend_oid(shards,
							 DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i],
															SPI_tuptable->tupdesc, 1,
															&isnull)));
		MemoryContextSwitchTo(mine);
	}
	SPI_finish();
	return shards;
}

static void
wait_on_this_node(Oid nspoid)
{
	Oid messages = rag_relation("messages", nspoid);
	List *tables = find_all_inheritors(messages, NoLock, NULL);
	LockData *locks;

	if (rag_is_distributed(nspoid))
		tables = list_concat(tables, shards_of(messages));
	locks = GetLockStatusData();
	for (int i = 0; i < locks->nelements; i++)
	{
		if (writes_to(&locks->locks[i], tables))
			VirtualXactLock(rag_lock_vxid(&locks->locks[i]), true);
	}
}

/* Each node waits for its own, all at once. */
static void
wait_on_other_nodes(Oid nspoid)
{
	const RagWorkerAnswer *failure;

	SPI_connect();
	failure = rag_do_on_workers(psprintf("PERFORM %s.rag_wait_for_writers();",
										 quote_identifier(rag_namespace_name(nspoid))));
	if (failure)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("node %s did not say whether anybody writes messages there", failure->node),
				 errdetail_internal("%s", failure->result),
				 errhint("Call the function again when the node answers and nobody has been writing there for minutes, and in a transaction that has not written itself.")));
	SPI_finish();
}

void
rag_wait_for_open_writers(Oid nspoid)
{
	wait_on_this_node(nspoid);
	if (rag_is_distributed(nspoid))
		wait_on_other_nodes(nspoid);
}

/*
 * rag_wait_for_writers() returns void
 *
 * A part of rag_close_days(), which calls it on the other nodes: waits until the
 * transactions have ended that have written messages on this node so far. Since 1.5.
 */
PG_FUNCTION_INFO_V1(rag_wait_for_writers);
Datum
rag_wait_for_writers(PG_FUNCTION_ARGS)
{
	rag_check_may_write("rag_wait_for_writers()");
	wait_on_this_node(rag_namespace(fcinfo));
	PG_RETURN_VOID();
}
