/*
 * write/update_message_direct.c
 *		Changing a message without an UPDATE, where that makes no difference.
 *
 *		A streamed answer is updated many times for each time that one is added. The row
 *		is found by the primary key, and a new version of it is stored. Only the plain
 *		case is done here: nobody else changes the row, and no index has a column that
 *		is changed. base/table_facts.h has the contract.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type_d.h"
#include "executor/executor.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/distributed.h"
#include "base/find_row.h"
#include "base/table_facts.h"
#include "base/update_row.h"
#include "message/message.h"
#include "write/insert_facts.h"
#include "write/update_message_direct.h"

/* What follows from the definition of the table alone. */
typedef struct Facts
{
	RagTableFacts table;
	bool plain;			 /* the other fields are set, and an UPDATE would do no more */
	Oid index;			 /* the primary key's, on id or on (session_id, id) */
	bool has_session_id; /* the latter, as on a cluster */
	bool id_is_int4;
	AttrNumber session_id;
	AttrNumber attnums[RAG_NCOLUMNS]; /* of the columns that can be set; or 0 */
} Facts;

static Facts kept[RAG_FACTS_PLACES];
static Facts *facts = kept; /* of the table that is in use */

/* An index has the attribute: the column cannot be set without a look into it. */
static void
leave_out(AttrNumber attnum)
{
	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if (facts->attnums[col] == attnum)
			facts->attnums[col] = InvalidAttrNumber;
	}
}

static void
leave_out_columns_of(Node *expression)
{
	Bitmapset *attnums = NULL;
	int attnum = -1;

	pull_varattnos(expression, 1, &attnums);
	while ((attnum = bms_next_member(attnums, attnum)) >= 0)
		leave_out(attnum + FirstLowInvalidHeapAttributeNumber);
}

static bool
is_key(Form_pg_index form, AttrNumber id)
{
	const int16 *keys = form->indkey.values;

	return form->indisprimary && form->indisvalid && form->indimmediate &&
		!form->indcheckxmin &&
		((form->indnkeyatts == 1 && keys[0] == id) ||
		 (form->indnkeyatts == 2 && keys[0] == facts->session_id && keys[1] == id));
}

static void
note_index(Oid oid, AttrNumber id)
{
	Relation index = index_open(oid, AccessShareLock);
	Form_pg_index form = index->rd_index;

	if (is_key(form, id) && index->rd_rel->relam == BTREE_AM_OID)
	{
		facts->index = oid;
		facts->has_session_id = form->indnkeyatts == 2;
	}
	for (int i = 0; i < form->indnatts; i++)
		leave_out(form->indkey.values[i]);
	leave_out_columns_of((Node *) RelationGetIndexExpressions(index));
	leave_out_columns_of((Node *) RelationGetIndexPredicate(index));
	index_close(index, AccessShareLock);
}

static bool
has_plain_columns(Relation rel)
{
	TupleDesc desc = RelationGetDescr(rel);
	AttrNumber id = get_attnum(RelationGetRelid(rel), "id");
	Oid id_type = id > 0 ? TupleDescAttr(desc, id - 1)->atttypid : InvalidOid;
	List *indexes = RelationGetIndexList(rel);
	ListCell *lc;

	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		AttrNumber attnum = get_attnum(RelationGetRelid(rel), rag_columns[col].name);

		facts->attnums[col] = InvalidAttrNumber;
		if (attnum > 0 &&
			rag_column_has_type(col, TupleDescAttr(desc, attnum - 1)->atttypid,
								TupleDescAttr(desc, attnum - 1)->atttypmod))
			facts->attnums[col] = attnum;
	}
	facts->session_id = facts->attnums[COL_SESSION_ID];
	facts->id_is_int4 = id_type == INT4OID;
	facts->index = InvalidOid;
	foreach (lc, indexes)
		note_index(lfirst_oid(lc), id);
	list_free(indexes);
	return (id_type == INT4OID || id_type == INT8OID) &&
		facts->session_id != InvalidAttrNumber && OidIsValid(facts->index);
}

static bool
is_plain(Relation rel)
{
	const TupleConstr *constr = RelationGetDescr(rel)->constr;

	return rag_table_obstacle(rel) == NULL &&
		!(constr && rag_has_generated_columns(constr)) && rag_checks_hold(rel) &&
		!rag_writing_runs_user_code(rel) &&
		rag_update_triggers_are_harmless(rel->trigdesc, true) && has_plain_columns(rel);
}

static void
find_facts(Relation rel)
{
	rag_begin_facts(&facts->table, RelationGetRelid(rel), InvalidOid);
	facts->plain = is_plain(rel);
	rag_end_facts(&facts->table);
}

static bool
is_of_session(HeapTuple row, TupleDesc desc, const RagMessage *message)
{
	bool isnull;
	Datum session_id = heap_getattr(row, facts->session_id, desc, &isnull);

	return !isnull &&
		DatumGetBool(DirectFunctionCall2(uuid_eq, session_id,
										 message->values[COL_SESSION_ID]));
}

/*
 * A copy of the message's row with the new values; or NULL if it is not there, or was
 * stored by this transaction.
 */
static HeapTuple
changed_row(Relation rel, const RagMessage *message, const RagColumn *columns, int n)
{
	TupleDesc desc = RelationGetDescr(rel);
	int attnums[RAG_NCOLUMNS];
	Datum values[RAG_NCOLUMNS];
	bool isnull[RAG_NCOLUMNS];
	ScanKeyData keys[2];
	int nkeys = 0;
	RagFoundRow found;
	HeapTuple changed = NULL;

	for (int i = 0; i < n; i++)
	{
		attnums[i] = facts->attnums[columns[i]];
		values[i] = message->values[columns[i]];
		isnull[i] = message->isnull[columns[i]];
	}
	if (facts->has_session_id)
		ScanKeyInit(&keys[nkeys++], 1, BTEqualStrategyNumber, F_UUID_EQ,
					message->values[COL_SESSION_ID]);
	ScanKeyEntryInitialize(&keys[nkeys], 0, nkeys + 1, BTEqualStrategyNumber, INT8OID,
						   InvalidOid, facts->id_is_int4 ? F_INT48EQ : F_INT8EQ,
						   message->values[COL_ID]);
	if (!rag_find_row(rel, facts->index, keys, nkeys + 1, &found))
		return NULL;
	if (is_of_session(&found.row, desc, message) &&
		!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(found.row.t_data)))
		changed = heap_modify_tuple_by_cols(&found.row, desc, n, attnums, values, isnull);
	rag_release_row(&found);
	return changed;
}

static bool
can_be_set(const RagColumn *columns, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (facts->attnums[columns[i]] == InvalidAttrNumber)
			return false;
	}
	return true;
}

static bool
update_message(Relation rel, const RagMessage *message, const RagColumn *columns, int n)
{
	HeapTuple row;
	bool done;

	facts = &kept[rag_place_of_facts(RelationGetRelid(rel))];
	if (!rag_facts_hold(&facts->table, RelationGetRelid(rel)))
		find_facts(rel);
	if (!facts->plain || !can_be_set(columns, n) ||
		rag_caller_obstacle(rel, ACL_SELECT | ACL_UPDATE) != NULL)
		return false;

	CheckCmdReplicaIdentity(rel, CMD_UPDATE);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	row = changed_row(rel, message, columns, n);
	done = row && rag_update_row(rel, row);
	PopActiveSnapshot();
	CommandCounterIncrement();
	return done;
}

bool
rag_update_message_directly(const RagMessage *message, const RagColumn *columns, int n,
							Oid nspoid)
{
	const pg_uuid_t *session_id = DatumGetUUIDP(message->values[COL_SESSION_ID]);
	Relation rel = rag_open_table_of(session_id, RAG_MESSAGES, nspoid, RowExclusiveLock);
	bool done = update_message(rel, message, columns, n);

	table_close(rel, NoLock);
	return done;
}
