/*
 * write/delete_sessions_direct.c
 *		Deleting many sessions with their messages without a DELETE, where that makes no
 *		difference.
 *
 *		The foreign key's trigger runs a statement for each session that is deleted. Here
 *		the messages are deleted first, and then there is nothing for it to do: nobody can
 *		add one, as the sessions are locked. That holds for a snapshot that sees all
 *		that was committed before, so not under REPEATABLE READ. base/table_facts.h has
 *		the contract.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_index.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type_d.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/schema.h"
#include "base/table_facts.h"
#include "write/delete_sessions_direct.h"

/* A column of UUIDs, and a complete index that begins with it. */
typedef struct Lookup
{
	AttrNumber attnum;
	Oid index;
} Lookup;

/* What follows from the definitions of both tables alone. */
static RagTableFacts facts_of_tables;
static struct
{
	bool plain; /* the other fields are set, and DELETE would do no more */
	Lookup session;
	Lookup messages; /* of a session */
} facts;

static bool
has_index_on(Relation index, AttrNumber attnum)
{
	Form_pg_index form = index->rd_index;

	return form->indisvalid && !form->indcheckxmin &&
		index->rd_rel->relam == BTREE_AM_OID && form->indkey.values[0] == attnum &&
		index->rd_opcintype[0] == UUIDOID &&
		heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);
}

static bool
find_lookup(Relation rel, const char *column, Lookup *lookup)
{
	List *indexes = RelationGetIndexList(rel);
	ListCell *lc;

	lookup->index = InvalidOid;
	lookup->attnum = get_attnum(RelationGetRelid(rel), column);
	if (lookup->attnum <= 0 ||
		TupleDescAttr(RelationGetDescr(rel), lookup->attnum - 1)->atttypid != UUIDOID)
		return false;
	foreach (lc, indexes)
	{
		Relation index = index_open(lfirst_oid(lc), AccessShareLock);

		if (has_index_on(index, lookup->attnum))
			lookup->index = RelationGetRelid(index);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return OidIsValid(lookup->index);
}

/* Do all foreign keys of messages on sessions lead from session_id to id? */
static bool
has_only_our_key(Relation sessions, Relation messages)
{
	ListCell *lc;

	foreach (lc, RelationGetFKeyList(messages))
	{
		const ForeignKeyCacheInfo *key = lfirst(lc);

		if (key->confrelid == RelationGetRelid(sessions) &&
			(key->nkeys != 1 || key->conkey[0] != facts.messages.attnum ||
			 key->confkey[0] != facts.session.attnum))
			return false;
	}
	return true;
}

/*
 * Has no trigger anything to do when a row is deleted, but those of foreign keys of
 * messages (InvalidOid: of no table)?
 */
static bool
delete_triggers_are_harmless(const TriggerDesc *triggers, Oid messages)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_DELETE(trigger->tgtype) &&
			!(RI_FKey_trigger_type(trigger->tgfoid) == RI_TRIGGER_PK &&
			  OidIsValid(messages) && trigger->tgconstrrelid == messages))
			return false;
	}
	return true;
}

static bool
is_plain(Relation sessions, Relation messages)
{
	return rag_table_obstacle(sessions) == NULL &&
		rag_table_obstacle(messages) == NULL &&
		delete_triggers_are_harmless(sessions->trigdesc, RelationGetRelid(messages)) &&
		delete_triggers_are_harmless(messages->trigdesc, InvalidOid) &&
		find_lookup(sessions, "id", &facts.session) &&
		find_lookup(messages, "session_id", &facts.messages) &&
		has_only_our_key(sessions, messages);
}

static void
find_facts(Relation sessions, Relation messages)
{
	rag_begin_facts(&facts_of_tables, RelationGetRelid(messages),
					RelationGetRelid(sessions));
	facts.plain = is_plain(sessions, messages);
	rag_end_facts(&facts_of_tables);
}

/* May the caller read that column? The statements look for rows by it. */
static bool
may_read(Relation rel, AttrNumber attnum)
{
	Oid relid = RelationGetRelid(rel);

	return pg_attribute_aclcheck(relid, attnum, GetUserId(), ACL_SELECT) ==
		ACLCHECK_OK ||
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

/*
 * Deletes the rows that have this value, and counts them. Returns false if a row was
 * changed by somebody else meanwhile.
 */
static bool
delete_rows(Relation rel, Relation index, AttrNumber attnum, Datum value, int64 *n)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple row;
	bool done = true;

	ScanKeyInit(&key, attnum, BTEqualStrategyNumber, F_UUID_EQ, value);
	scan = systable_beginscan_ordered(rel, index, GetActiveSnapshot(), 1, &key);
	while (done && (row = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
	{
		TM_FailureData failure;
		TM_Result result = rag_table_tuple_delete(rel, &row->t_self,
												  GetCurrentCommandId(true),
												  GetActiveSnapshot(), true, &failure);

		CHECK_FOR_INTERRUPTS();
		*n += result == TM_Ok;
		done = result == TM_Ok || result == TM_Deleted;
	}
	systable_endscan_ordered(scan);
	return done;
}

static bool
delete_sessions(Relation sessions, Relation messages, const Datum *ids, int n,
				int64 *nsessions, int64 *nmessages)
{
	Relation by_id = index_open(facts.session.index, RowExclusiveLock);
	Relation by_session = index_open(facts.messages.index, RowExclusiveLock);
	bool done = true;

	for (int i = 0; done && i < n; i++)
		done = delete_rows(messages, by_session, facts.messages.attnum, ids[i],
						   nmessages) &&
			delete_rows(sessions, by_id, facts.session.attnum, ids[i], nsessions);
	index_close(by_session, NoLock);
	index_close(by_id, NoLock);
	return done;
}

static bool
is_possible(Relation sessions, Relation messages)
{
	if (IsolationUsesXactSnapshot())
		return false;
	if (!rag_facts_hold(&facts_of_tables, RelationGetRelid(messages)) ||
		facts_of_tables.other != RelationGetRelid(sessions))
		find_facts(sessions, messages);
	return facts.plain && rag_caller_obstacle(sessions, ACL_DELETE) == NULL &&
		rag_caller_obstacle(messages, ACL_DELETE) == NULL &&
		may_read(sessions, facts.session.attnum) &&
		may_read(messages, facts.messages.attnum);
}

bool
rag_delete_sessions_directly(Oid nspoid, const Datum *ids, int n, int64 *sessions,
							 int64 *messages)
{
	Relation sessions_rel = rag_open_table("sessions", nspoid, RowExclusiveLock);
	Relation messages_rel = rag_open_table("messages", nspoid, RowExclusiveLock);
	bool done = is_possible(sessions_rel, messages_rel);

	if (done)
	{
		CheckCmdReplicaIdentity(messages_rel, CMD_DELETE);
		CheckCmdReplicaIdentity(sessions_rel, CMD_DELETE);
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
		done = delete_sessions(sessions_rel, messages_rel, ids, n, sessions, messages);
		PopActiveSnapshot();
		CommandCounterIncrement();
	}
	table_close(messages_rel, NoLock);
	table_close(sessions_rel, NoLock);
	return done;
}
