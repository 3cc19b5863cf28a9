/*
 * cluster/ids.c
 *		Drawing ids of messages.
 *
 *		On one machine the sequence alone gives them their order. Where the tables are
 *		distributed, every node has a sequence of its own: all have the same increment,
 *		RAG_ID_STEP, and each another remainder, so no id is drawn twice. Within a session
 *		ids must ascend, whoever draws them: with the session locked, a sequence that is
 *		behind the session's last id is moved past it first. (It is a Lamport clock, with
 *		the node as tie-breaker.)
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_sequence.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/syscache.h"

#include "base/as_owner.h"
#include "base/distributed.h"
#include "base/schema.h"
#include "cluster/ids.h"

/* Ids would not be its own otherwise. */
static void
require_prepared_node(Oid sequence)
{
	HeapTuple tuple = SearchSysCache1(SEQRELID, ObjectIdGetDatum(sequence));
	bool prepared = HeapTupleIsValid(tuple) &&
		((Form_pg_sequence) GETSTRUCT(tuple))->seqincrement == RAG_ID_STEP;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	if (!prepared)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this node of the cluster is not ready for messages"),
				 errhint("Run SELECT rag_distribute() on the coordinator.")));
}

RagIds
rag_begin_ids(Oid nspoid)
{
	RagIds ids = {
		.sequence = rag_lock_relation("messages_id_seq", nspoid, RowExclusiveLock),
		.distributed = rag_is_distributed(nspoid)};

	if (ids.distributed)
		require_prepared_node(ids.sequence);
	return ids;
}

/* Who draws an id waits for who moves the sequence, and only for that long. */
static int64
draw(Oid sequence, LOCKMODE lockmode)
{
	LockDatabaseObject(RelationRelationId, sequence, 0, lockmode);
	return nextval_internal(sequence, true);
}

static void
release(Oid sequence, LOCKMODE lockmode)
{
	UnlockDatabaseObject(RelationRelationId, sequence, 0, lockmode);
}

/* Who may draw ids may do this much, with the rights of the owner. */
static void
set_sequence(Oid sequence, int64 value)
{
	RagUser user = rag_become_owner(sequence);

	DirectFunctionCall2(setval_oid, ObjectIdGetDatum(sequence), Int64GetDatum(value));
	rag_become_again(user);
}

/* With the sequence for itself, so that it is never moved back. */
static int64
draw_after(Oid sequence, int64 last)
{
	int64 id = draw(sequence, ExclusiveLock);

	if (id <= last)
	{
		id += ((last - id) / RAG_ID_STEP + 1) * RAG_ID_STEP;
		set_sequence(sequence, id);
	}
	release(sequence, ExclusiveLock);
	return id;
}

int64
rag_next_id(RagIds *ids)
{
	CHECK_FOR_INTERRUPTS();
	if (!ids->distributed)
		return nextval_internal(ids->sequence, true);
	{
		int64 id = draw(ids->sequence, ShareLock);

		release(ids->sequence, ShareLock);
		ids->last = id > ids->last ? id : draw_after(ids->sequence, ids->last);
	}
	return ids->last;
}
