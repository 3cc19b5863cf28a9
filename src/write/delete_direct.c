/*
 * write/delete_direct.c
 *		Deleting sessions, or messages of one, without a DELETE, where that makes no
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
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type_d.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "base/find_row.h"
#include "base/schema.h"
#include "base/table_facts.h"
#include "feedback/feedback.h"
#include "message/message.h"
#include "session/session.h"
#include "write/delete_direct.h"

/* What follows from the definitions of both tables alone. */
static RagTableFacts facts_of_tables;
static struct
{
	bool messages_plain; /* a DELETE of messages would do no more */
	Oid messages_index;	 /* on (session_id, id) */
	AttrNumber session_id;
	AttrNumber message_id;
	bool id_is_int4;
	bool plain;			/* nor would one of sessions */
	Oid feedback;		/* the table whose foreign key was taken for ours, too */
	Oid sessions_index; /* on id */
	AttrNumber id;
} facts;

/* What follows from the definition of feedback's table alone. */
static RagTableFacts facts_of_feedback;
static Oid index_of_feedback; /* beginning with session_id; or InvalidOid, if not plain */

/* Is it a complete index that begins with this column of UUIDs? */
static bool
begins_with(Relation index, AttrNumber attnum)
{
	Form_pg_index form = index->rd_index;

	return form->indisvalid && !form->indcheckxmin &&
		index->rd_rel->relam == BTREE_AM_OID && form->indkey.values[0] == attnum &&
		index->rd_opcintype[0] == UUIDOID &&
		heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);
}

/* Is its second column this id? (InvalidAttrNumber: none is wanted.) */
static bool
goes_on_with(Relation index, AttrNumber attnum)
{
	Form_pg_index form = index->rd_index;

	return attnum == InvalidAttrNumber ||
		(form->indnkeyatts >= 2 && form->indkey.values[1] == attnum &&
		 index->rd_opfamily[1] == INTEGER_BTREE_FAM_OID);
}

static Oid
find_index(Relation rel, AttrNumber first, AttrNumber second)
{
	List *indexes = RelationGetIndexList(rel);
	Oid result = InvalidOid;
	ListCell *lc;

	foreach (lc, indexes)
	{
		Relation index = index_open(lfirst_oid(lc), AccessShareLock);

		if (begins_with(index, first) && goes_on_with(index, second))
			result = RelationGetRelid(index);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return result;
}

/* The attribute of a column with one of these types, or 0. */
static AttrNumber
find_attribute(Relation rel, const char *name, Oid type, Oid other_type)
{
	AttrNumber attnum = get_attnum(RelationGetRelid(rel), name);
	Oid found;

	if (attnum <= 0)
		return InvalidAttrNumber;
	found = TupleDescAttr(RelationGetDescr(rel), attnum - 1)->atttypid;
	return found == type || found == other_type ? attnum : InvalidAttrNumber;
}

/* Do all foreign keys of the table on sessions lead from session_id to id? */
static bool
has_only_our_key(Relation sessions, Relation rel)
{
	AttrNumber session_id = get_attnum(RelationGetRelid(rel), "session_id");
	ListCell *lc;

	foreach (lc, RelationGetFKeyList(rel))
	{
		const ForeignKeyCacheInfo *key = lfirst(lc);

		if (key->confrelid == RelationGetRelid(sessions) &&
			(key->nkeys != 1 || key->conkey[0] != session_id ||
			 key->confkey[0] != facts.id))
			return false;
	}
	return true;
}

/* Is it that of a foreign key of this table with ON DELETE CASCADE? */
static bool
cascades_to(const Trigger *trigger, Oid table)
{
	return trigger->tgfoid == F_RI_FKEY_CASCADE_DEL && OidIsValid(table) &&
		trigger->tgconstrrelid == table;
}

/*
 * Has no trigger anything to do when a row is deleted, but those of such keys of these
 * tables (InvalidOid: of none)?
 */
static bool
delete_triggers_are_harmless(const TriggerDesc *triggers, Oid messages, Oid feedback)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_DELETE(trigger->tgtype) &&
			!cascades_to(trigger, messages) && !cascades_to(trigger, feedback))
			return false;
	}
	return true;
}

/* The table if its rows go with their sessions by a key, or InvalidOid. */
static Oid
feedback_with_key(Relation sessions)
{
	const TriggerDesc *triggers = sessions->trigdesc;
	Oid feedback = rag_feedback_table(RelationGetNamespace(sessions));

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		if (cascades_to(&triggers->triggers[i], feedback))
			return feedback;
	}
	return InvalidOid;
}

static bool
messages_are_plain(Relation messages)
{
	if (rag_table_obstacle(messages) != NULL ||
		!delete_triggers_are_harmless(messages->trigdesc, InvalidOid, InvalidOid))
		return false;
	facts.session_id = find_attribute(messages, "session_id", UUIDOID, UUIDOID);
	facts.message_id = find_attribute(messages, "id", INT4OID, INT8OID);
	if (facts.session_id == 0 || facts.message_id == 0)
		return false;
	facts.id_is_int4 =
		get_atttype(RelationGetRelid(messages), facts.message_id) == INT4OID;
	facts.messages_index = find_index(messages, facts.session_id, facts.message_id);
	return OidIsValid(facts.messages_index);
}

static bool
sessions_are_plain(Relation sessions, Relation messages)
{
	facts.feedback = feedback_with_key(sessions);
	if (rag_table_obstacle(sessions) != NULL ||
		!delete_triggers_are_harmless(sessions->trigdesc, RelationGetRelid(messages),
									  facts.feedback))
		return false;
	facts.id = find_attribute(sessions, "id", UUIDOID, UUIDOID);
	if (facts.id == 0 || !has_only_our_key(sessions, messages))
		return false;
	facts.sessions_index = find_index(sessions, facts.id, InvalidAttrNumber);
	return OidIsValid(facts.sessions_index);
}

static void
find_facts(Relation sessions, Relation messages)
{
	if (rag_facts_hold(&facts_of_tables, RelationGetRelid(messages)) &&
		facts_of_tables.other == RelationGetRelid(sessions))
		return;
	rag_begin_facts(&facts_of_tables, RelationGetRelid(messages),
					RelationGetRelid(sessions));
	facts.messages_plain = messages_are_plain(messages);
	facts.plain = facts.messages_plain && sessions_are_plain(sessions, messages);
	rag_end_facts(&facts_of_tables);
}

/*
 * Deletes the rows that an index finds by these keys, and counts them. Returns false if a
 * row was changed by somebody else meanwhile.
 */
static bool
delete_rows(Relation rel, Relation index, ScanKey keys, int nkeys, int64 *n)
{
	SysScanDesc scan =
		systable_beginscan_ordered(rel, index, GetActiveSnapshot(), nkeys, keys);
	HeapTuple row;
	bool done = true;

	while (done && (row = systable_getnext_ordered(scan, ForwardScanDirection)) != NULL)
	{
		TM_FailureData failure;
		TM_Result result = rag_table_tuple_delete(rel, &row->t_self,
												  GetCurrentCommandId(true),
												  GetActiveSnapshot(), true, &failure);

		CHECK_FOR_INTERRUPTS();
		*n += result == TM_Ok;
		done = result == TM_Ok ||
			(result == TM_Deleted && !IsolationUsesXactSnapshot());
	}
	systable_endscan_ordered(scan);
	return done;
}

static bool
delete_by_uuid(Relation rel, Relation index, AttrNumber attnum, Datum id, int64 *n)
{
	ScanKeyData key;

	ScanKeyInit(&key, attnum, BTEqualStrategyNumber, F_UUID_EQ, id);
	return delete_rows(rel, index, &key, 1, n);
}

static bool
delete_sessions(Relation sessions, Relation messages, const Datum *ids, int n,
				int64 *nsessions, int64 *nmessages)
{
	Relation by_id = index_open(facts.sessions_index, RowExclusiveLock);
	Relation by_session = index_open(facts.messages_index, RowExclusiveLock);
	bool done = true;

	for (int i = 0; done && i < n; i++)
		done = delete_by_uuid(messages, by_session, facts.session_id, ids[i],
							  nmessages) &&
			delete_by_uuid(sessions, by_id, facts.id, ids[i], nsessions);
	index_close(by_session, NoLock);
	index_close(by_id, NoLock);
	return done;
}

static bool
delete_messages(Relation messages, const RagSession *session, int64 from_id, int64 *n)
{
	Relation index = index_open(facts.messages_index, RowExclusiveLock);
	ScanKeyData keys[2];
	bool done;

	ScanKeyInit(&keys[0], facts.session_id, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(session->id));
	ScanKeyEntryInitialize(&keys[1], 0, facts.message_id, BTGreaterEqualStrategyNumber,
						   INT8OID, InvalidOid,
						   facts.id_is_int4 ? F_INT48GE : F_INT8GE,
						   Int64GetDatum(from_id));
	done = delete_rows(messages, index, keys, 2, n);
	index_close(index, NoLock);
	return done;
}

static bool
may_delete_messages(Relation messages)
{
	return facts.messages_plain && rag_caller_obstacle(messages, ACL_DELETE) == NULL &&
		rag_may_read(RelationGetRelid(messages), facts.session_id) &&
		rag_may_read(RelationGetRelid(messages), facts.message_id);
}

/*
 * May feedback be deleted before its session, and not by the trigger of its key? Then
 * there is nothing that could see the difference.
 */
static bool
feedback_is_plain(Relation sessions)
{
	Relation feedback;
	bool result;

	if (!OidIsValid(facts.feedback))
		return true;
	/* Another table may have got its name, and rows are looked for by name. */
	if (get_relname_relid("rag_feedback", RelationGetNamespace(sessions)) !=
		facts.feedback)
		return false;
	feedback = table_open(facts.feedback, RowExclusiveLock);
	result = rag_table_obstacle(feedback) == NULL &&
		delete_triggers_are_harmless(feedback->trigdesc, InvalidOid, InvalidOid) &&
		has_only_our_key(sessions, feedback);
	table_close(feedback, NoLock);
	return result;
}

static bool
may_delete_sessions(Relation sessions, Relation messages)
{
	return !IsolationUsesXactSnapshot() && facts.plain && feedback_is_plain(sessions) &&
		rag_caller_obstacle(sessions, ACL_DELETE) == NULL &&
		rag_caller_obstacle(messages, ACL_DELETE) == NULL &&
		rag_may_read(RelationGetRelid(sessions), facts.id) &&
		rag_may_read(RelationGetRelid(messages), facts.session_id);
}

/* A DELETE would begin and end like this. */
static void
begin_deleting(void)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
end_deleting(void)
{
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/* ------------------------------------------------------------------------
 *		Feedback
 * ------------------------------------------------------------------------
 *
 * Most sessions have none, and a DELETE that finds nothing takes as long as deleting an
 * answer does.
 */

/* Does a statement that deletes nothing run triggers of the table? */
static bool
has_delete_trigger(const TriggerDesc *triggers)
{
	return triggers &&
		(triggers->trig_delete_before_statement || triggers->trig_delete_after_statement);
}

static void
find_facts_of_feedback(Relation feedback)
{
	AttrNumber session_id;

	if (rag_facts_hold(&facts_of_feedback, RelationGetRelid(feedback)))
		return;
	rag_begin_facts(&facts_of_feedback, RelationGetRelid(feedback), InvalidOid);
	session_id = find_attribute(feedback, "session_id", UUIDOID, UUIDOID);
	index_of_feedback = InvalidOid;
	if (session_id != 0 && rag_table_obstacle(feedback) == NULL &&
		!has_delete_trigger(feedback->trigdesc))
		index_of_feedback = find_index(feedback, session_id, InvalidAttrNumber);
	rag_end_facts(&facts_of_feedback);
}

/* Looks with the newest snapshot, as rag_delete_feedback_from() does in the end. */
static bool
has_rows_of(Relation feedback, Datum session_id)
{
	ScanKeyData key;
	RagFoundRow found;
	bool result;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, session_id);
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	result = rag_find_row(feedback, index_of_feedback, &key, 1, &found);
	if (result)
		rag_release_row(&found);
	PopActiveSnapshot();
	return result;
}

/* (Where the table is somebody else's, there is nothing to be deleted in any case.) */
bool
rag_sees_no_feedback(Datum session_id, Oid nspoid)
{
	Oid table = get_relname_relid("rag_feedback", nspoid);
	Relation feedback;
	bool result;

	if (!OidIsValid(table))
		return true;
	if (get_rel_relkind(table) != RELKIND_RELATION)
		return false;
	feedback = rag_open_table("rag_feedback", nspoid, RowExclusiveLock);
	find_facts_of_feedback(feedback);
	result = OidIsValid(index_of_feedback) &&
		rag_caller_obstacle(feedback, ACL_NO_RIGHTS) == NULL &&
		!has_rows_of(feedback, session_id);
	table_close(feedback, NoLock);
	return result;
}

static void
delete_feedback(const Datum *ids, int n, Oid nspoid)
{
	ArrayType *array;

	if (!OidIsValid(facts.feedback) || (n == 1 && rag_sees_no_feedback(ids[0], nspoid)))
		return;
	array = construct_array(unconstify(Datum *, ids), n, UUIDOID, UUID_LEN, false,
							TYPALIGN_CHAR);
	rag_delete_feedback_of(facts.feedback, PointerGetDatum(array), nspoid);
	pfree(array);
}

/* ------------------------------------------------------------------------
 *		Sessions and messages
 * ------------------------------------------------------------------------
 */

bool
rag_may_delete_sessions_directly(Oid nspoid)
{
	Relation sessions = rag_open_table("sessions", nspoid, RowExclusiveLock);
	Relation messages = rag_open_table("messages", nspoid, RowExclusiveLock);
	bool result;

	find_facts(sessions, messages);
	result = may_delete_sessions(sessions, messages) &&
		rag_caller_obstacle(sessions, ACL_SELECT | ACL_UPDATE) == NULL;
	table_close(messages, NoLock);
	table_close(sessions, NoLock);
	return result;
}

bool
rag_delete_sessions_directly(Oid nspoid, const Datum *ids, int n, int64 *sessions,
							 int64 *messages)
{
	Relation sessions_rel = rag_open_table("sessions", nspoid, RowExclusiveLock);
	Relation messages_rel = rag_open_table("messages", nspoid, RowExclusiveLock);
	bool done;

	find_facts(sessions_rel, messages_rel);
	done = may_delete_sessions(sessions_rel, messages_rel);
	if (done)
	{
		CheckCmdReplicaIdentity(messages_rel, CMD_DELETE);
		CheckCmdReplicaIdentity(sessions_rel, CMD_DELETE);
		delete_feedback(ids, n, nspoid);
		begin_deleting();
		done = delete_sessions(sessions_rel, messages_rel, ids, n, sessions, messages);
		end_deleting();
	}
	table_close(messages_rel, NoLock);
	table_close(sessions_rel, NoLock);
	return done;
}

bool
rag_delete_messages_directly(const RagSession *session, int64 from_id, int64 *messages)
{
	Relation sessions_rel = rag_open_table("sessions", session->nspoid, RowExclusiveLock);
	Relation messages_rel = rag_open_table("messages", session->nspoid, RowExclusiveLock);
	bool done;

	find_facts(sessions_rel, messages_rel);
	done = may_delete_messages(messages_rel);
	if (done)
	{
		CheckCmdReplicaIdentity(messages_rel, CMD_DELETE);
		begin_deleting();
		done = delete_messages(messages_rel, session, from_id, messages);
		end_deleting();
	}
	table_close(messages_rel, NoLock);
	table_close(sessions_rel, NoLock);
	return done;
}
