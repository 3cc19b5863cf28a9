/*
 * session/find_session_direct.c
 *		Touching, locking and seeing a session without a statement, where that makes no
 *		difference.
 *
 *		Every message touches its session, and every reader looks for it; most of what
 *		a statement for one row by its key costs is starting and ending the executor.
 *		Only the plain case is done here: nobody else changes the row. Whatever is not
 *		plain, a statement does after that, with all its rechecking and errors.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/heapam.h"
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
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/distributed.h"
#include "base/find_row.h"
#include "base/table_facts.h"
#include "base/update_row.h"
#include "session/find_session_direct.h"
#include "session/session.h"

/* What follows from the definition of the table alone. */
typedef struct Facts
{
	RagTableFacts table;
	bool plain; /* the other fields are set, and an UPDATE would do no more */
	Oid index;	/* the primary key's */
	AttrNumber id;
	AttrNumber user_id;
	AttrNumber updated_at;
} Facts;

static Facts kept[RAG_FACTS_PLACES];
static Facts *facts = kept; /* of the table that is in use */

/*
 * Notes the index of the primary key, if it is on id. False if an index has
 * updated_at, or expressions or predicates: they may have it.
 */
static bool
has_plain_indexes(Relation rel)
{
	List *indexes = RelationGetIndexList(rel);
	bool plain = true;
	ListCell *lc;

	foreach (lc, indexes)
	{
		Relation index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;

		plain &= heap_attisnull(index->rd_indextuple, Anum_pg_index_indexprs, NULL) &&
			heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);
		for (int i = 0; i < form->indnatts; i++)
			plain &= form->indkey.values[i] != facts->updated_at;
		if (form->indisprimary && form->indisvalid && form->indimmediate &&
			!form->indcheckxmin && form->indnkeyatts == 1 &&
			form->indkey.values[0] == facts->id && index->rd_rel->relam == BTREE_AM_OID)
			facts->index = RelationGetRelid(index);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return plain && OidIsValid(facts->index);
}

static bool
has_plain_columns(Relation rel)
{
	TupleDesc desc = RelationGetDescr(rel);
	Oid relid = RelationGetRelid(rel);
	Form_pg_attribute updated_at;
	Oid user_type;

	facts->id = get_attnum(relid, "id");
	facts->user_id = get_attnum(relid, "user_id");
	facts->updated_at = get_attnum(relid, "updated_at");
	if (facts->id <= 0 || facts->user_id <= 0 || facts->updated_at <= 0)
		return false;
	updated_at = TupleDescAttr(desc, facts->updated_at - 1);
	user_type = get_atttype(relid, facts->user_id);
	return get_atttype(relid, facts->id) == UUIDOID &&
		(user_type == TEXTOID || user_type == VARCHAROID) &&
		updated_at->atttypid == TIMESTAMPOID && updated_at->atttypmod == -1;
}

static bool
is_plain(Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;

	return rag_table_obstacle(rel) == NULL &&
		!(constr && (constr->num_check > 0 || rag_has_generated_columns(constr))) &&
		rag_update_triggers_are_harmless(rel->trigdesc, false) &&
		has_plain_columns(rel) && has_plain_indexes(rel);
}

static void
find_facts(Relation rel)
{
	rag_begin_facts(&facts->table, RelationGetRelid(rel), InvalidOid);
	facts->index = InvalidOid;
	facts->plain = is_plain(rel);
	rag_end_facts(&facts->table);
}

static bool
is_owner(HeapTuple row, TupleDesc desc, const text *user_id)
{
	bool isnull;
	Datum owner = heap_getattr(row, facts->user_id, desc, &isnull);
	Oid collation = TupleDescAttr(desc, facts->user_id - 1)->attcollation;

	return !isnull &&
		DatumGetBool(DirectFunctionCall2Coll(texteq, collation, owner,
											 PointerGetDatum(user_id)));
}

/* Finds the session, unless it is another user's. */
static bool
find_row(Relation rel, const RagSession *session, RagFoundRow *found)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(session->id));
	if (!rag_find_row(rel, facts->index, &key, 1, found))
		return false;
	if (session->user_id == NULL ||
		is_owner(&found->row, RelationGetDescr(rel), session->user_id))
		return true;
	rag_release_row(found);
	return false;
}

/*
 * The value of updated_at after the touch: the time of the transaction, or the value
 * before if that is later.
 */
static Datum
time_of_touch(HeapTuple row, TupleDesc desc)
{
	Timestamp now = GetSQLLocalTimestamp(-1);
	bool isnull;
	Datum before = heap_getattr(row, facts->updated_at, desc, &isnull);

	return TimestampGetDatum(isnull ? now : Max(now, DatumGetTimestamp(before)));
}

/* A copy of the session's row with updated_at set, or NULL if it is not there. */
static HeapTuple
touched_row(Relation rel, const RagSession *session)
{
	TupleDesc desc = RelationGetDescr(rel);
	int updated_at = facts->updated_at;
	bool isnull = false;
	RagFoundRow found;
	HeapTuple touched;
	Datum time;

	if (!find_row(rel, session, &found))
		return NULL;
	time = time_of_touch(&found.row, desc);
	touched = heap_modify_tuple_by_cols(&found.row, desc, 1, &updated_at, &time, &isnull);
	rag_release_row(&found);
	return touched;
}

static bool
is_plain_for_caller(Relation rel, AclMode rights)
{
	facts = &kept[rag_place_of_facts(RelationGetRelid(rel))];
	if (!rag_facts_hold(&facts->table, RelationGetRelid(rel)))
		find_facts(rel);
	return facts->plain && rag_caller_obstacle(rel, rights) == NULL;
}

static Relation
open_sessions(const RagSession *session, LOCKMODE lockmode)
{
	return rag_open_table_of(session->id, RAG_SESSIONS, session->nspoid, lockmode);
}

static bool
touch(Relation rel, const RagSession *session)
{
	HeapTuple row;
	bool done;

	if (!is_plain_for_caller(rel, ACL_SELECT | ACL_UPDATE))
		return false;

	CheckCmdReplicaIdentity(rel, CMD_UPDATE);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	row = touched_row(rel, session);
	done = row && rag_update_row(rel, row);
	PopActiveSnapshot();
	CommandCounterIncrement();
	return done;
}

bool
rag_touch_directly(const RagSession *session)
{
	Relation rel = open_sessions(session, RowExclusiveLock);
	bool done = touch(rel, session);

	table_close(rel, NoLock);
	return done;
}

/* Locks a row that nobody else has locked or changed. */
static bool
lock_row(Relation rel, ItemPointerData place, LockTupleMode mode)
{
	HeapTupleData tuple = {.t_self = place};
	TM_FailureData failure;
	Buffer buffer;
	TM_Result result = heap_lock_tuple(rel, &tuple, GetCurrentCommandId(true),
									   mode, LockWaitSkip, false, &buffer, &failure);

	ReleaseBuffer(buffer);
	return result == TM_Ok;
}

static bool
lock(Relation rel, const RagSession *session, LockTupleMode mode)
{
	RagFoundRow found;
	bool done = false;

	if (!is_plain_for_caller(rel, ACL_SELECT | ACL_UPDATE))
		return false;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (find_row(rel, session, &found))
	{
		done = lock_row(rel, found.row.t_self, mode);
		rag_release_row(&found);
	}
	PopActiveSnapshot();
	return done;
}

bool
rag_lock_directly(const RagSession *session, LockTupleMode mode)
{
	Relation rel = open_sessions(session, RowShareLock);
	bool done = lock(rel, session, mode);

	table_close(rel, NoLock);
	return done;
}

static bool
see(Relation rel, const RagSession *session)
{
	RagFoundRow found;

	if (!is_plain_for_caller(rel, ACL_SELECT) || !find_row(rel, session, &found))
		return false;
	rag_release_row(&found);
	return true;
}

bool
rag_see_directly(const RagSession *session)
{
	Relation rel = open_sessions(session, AccessShareLock);
	bool seen = see(rel, session);

	table_close(rel, NoLock);
	return seen;
}
