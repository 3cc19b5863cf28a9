/*
 * base/distributed.c
 *		Are the tables of the extension distributed over several machines?
 */
#include "base/compat.h"

#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/citus.h"
#include "base/distributed.h"
#include "base/schema.h"
#include "base/table_facts.h"

const RagDistributedTable rag_distributed_tables[] = {
	[RAG_SESSIONS] = {"sessions", "id"},
	[RAG_MESSAGES] = {"messages", "session_id"},
	[RAG_FEEDBACK] = {"rag_feedback", "session_id"},
};

/* The shards with the rows of sessions whose hash is at least min. */
typedef struct HashRange
{
	int32 min;
	bool here;
	RagShards shards;
} HashRange;

/* What Citus said, until it changes: Citus invalidates the table then. */
static RagTableFacts facts_of_messages;
static struct
{
	bool distributed;
	bool shards_known; /* the other fields are set */
	int nranges;
	HashRange *ranges; /* in the order of hashes */
} facts;

/* Finds out again what does not hold any longer. */
static void
look_at(Oid messages)
{
	if (rag_facts_hold(&facts_of_messages, messages))
		return;
	if (facts.ranges)
		pfree(facts.ranges);
	memset(&facts, 0, sizeof(facts));
	rag_begin_facts(&facts_of_messages, messages, InvalidOid);
	facts.distributed = rag_citus_distributes(messages);
	rag_end_facts(&facts_of_messages);
}

bool
rag_is_distributed(Oid nspoid)
{
	Oid messages;

	if (!rag_citus_is_loaded())
		return false;
	messages = get_relname_relid("messages", nspoid);
	if (!OidIsValid(messages))
		return false;
	look_at(messages);
	return facts.distributed;
}

bool
rag_is_other_node(Oid nspoid)
{
	return rag_is_distributed(nspoid) && !rag_citus_is_coordinator();
}

void
rag_require_coordinator(const char *function, Oid nspoid)
{
	if (!rag_is_other_node(nspoid))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s needs the coordinator of the cluster", function),
			 errdetail("Usage by day is kept there."),
			 errhint("Call it on the coordinator.")));
}

/* ------------------------------------------------------------------------
 *		Shards
 * ------------------------------------------------------------------------
 */

/* Adds the shards of one table. False if they do not have the ranges of the others. */
static bool
add_shards(int table, Oid nspoid)
{
	Oid relid = get_relname_relid(rag_distributed_tables[table].name, nspoid);
	RagCitusShard *shards;
	int n = OidIsValid(relid) ? rag_citus_shards(relid, &shards) : 0;

	if (table == 0)
	{
		facts.ranges = MemoryContextAllocZero(TopMemoryContext,
											  sizeof(HashRange) * Max(n, 1));
		facts.nranges = n;
	}
	if (n == 0 || n != facts.nranges)
		return false;
	for (int i = 0; i < n; i++)
	{
		HashRange *range = &facts.ranges[i];

		if (table == 0)
			range->min = shards[i].min;
		else if (range->min != shards[i].min)
			return false;
		range->here = (table == 0 || range->here) && shards[i].here;
		range->shards.ids[table] = shards[i].id;
	}
	pfree(shards);
	return true;
}

static void
know_shards(Oid nspoid)
{
	if (facts.shards_known)
		return;
	if (facts.ranges)
		pfree(facts.ranges);
	facts.ranges = NULL;
	for (int i = 0; i < RAG_NDISTRIBUTED; i++)
	{
		if (!add_shards(i, nspoid))
		{
			facts.nranges = 0;
			break;
		}
	}
	facts.shards_known = true;
}

/* The range that the session is in, or NULL. It holds until Citus changes it. */
static const HashRange *
find_range(Oid nspoid, const pg_uuid_t *session_id)
{
	int32 hash;
	int first = 0;
	int last;

	if (!rag_is_distributed(nspoid))
		return NULL;
	know_shards(nspoid);
	/* Citus distributes by PostgreSQL's hash function of the type. */
	hash = DatumGetInt32(DirectFunctionCall1(uuid_hash, UUIDPGetDatum(session_id)));
	last = facts.nranges - 1;
	while (first < last)
	{
		int middle = (first + last + 1) / 2;

		if (facts.ranges[middle].min <= hash)
			first = middle;
		else
			last = middle - 1;
	}
	return facts.nranges > 0 && facts.ranges[first].min <= hash ? &facts.ranges[first] :
																  NULL;
}

bool
rag_may_enter_shards(void)
{
	return rag_citus_lets_us_in();
}

int64
rag_shard_of(Oid nspoid, const pg_uuid_t *session_id)
{
	const HashRange *range = find_range(nspoid, session_id);

	return range ? range->shards.ids[0] : 0;
}

bool
rag_in_one_shard(Oid nspoid, const pg_uuid_t *a, const pg_uuid_t *b)
{
	int64 shard = rag_shard_of(nspoid, a);

	return shard != 0 && shard == rag_shard_of(nspoid, b);
}

/*
 * Who moves a shard waits for all that hold it, on every node, before it does so. So the
 * shard is held before a row is locked, wherever that row is: otherwise somebody else
 * might hold it who waits for the row.
 */
RagShards
rag_enter_shards(Oid nspoid, const pg_uuid_t *session_id, bool change)
{
	const HashRange *range;
	int64 held = 0;

	if (find_range(nspoid, session_id) == NULL)
		return RAG_NO_SHARDS;
	/* Whoever locks all nodes, as a step does, locks the tables that have the shards. */
	rag_lock_relation(rag_distributed_tables[RAG_SESSIONS].name, nspoid,
					  change ? RowExclusiveLock : AccessShareLock);
	/* While we waited, rows may have been brought back, or the shard moved or split. */
	AcceptInvalidationMessages();
	while ((range = find_range(nspoid, session_id)) != NULL && change &&
		   range->shards.ids[RAG_SESSIONS] != held)
	{
		held = range->shards.ids[RAG_SESSIONS];
		rag_citus_hold_shard(held);
		AcceptInvalidationMessages();
	}
	if (range == NULL || !range->here || !rag_citus_lets_us_in())
		return RAG_NO_SHARDS;
	rag_citus_note_use(change);
	return range->shards;
}

Relation
rag_open_table_of(const pg_uuid_t *session_id, int table, Oid nspoid, LOCKMODE lockmode)
{
	const char *name = rag_distributed_tables[table].name;
	RagShards shards = rag_enter_shards(nspoid, session_id, lockmode != AccessShareLock);

	if (shards.ids[table] != 0)
		name = psprintf("%s_" INT64_FORMAT, name, shards.ids[table]);
	return rag_open_table(name, nspoid, lockmode);
}
