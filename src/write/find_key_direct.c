/*
 * write/find_key_direct.c
 *		Finding a message by its idempotency key without a SELECT, where that makes no
 *		difference.
 *
 *		An answer that grows is put again and again: each time its key is looked up in
 *		the unique index. base/table_facts.h has the contract.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_type_d.h"
#include "nodes/primnodes.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/distributed.h"
#include "base/find_row.h"
#include "base/table_facts.h"
#include "message/message.h"
#include "write/find_key_direct.h"

/* What follows from the definition of the table alone. */
typedef struct Facts
{
	RagTableFacts table;
	bool plain;	   /* the other fields are set, and a SELECT would do no more */
	Oid index;	   /* on (session_id, idempotency_key) */
	Oid collation; /* of the keys in it */
	bool id_is_int4;
	AttrNumber id;
	AttrNumber session_id;
	AttrNumber role;
	AttrNumber key;
} Facts;

static Facts kept[RAG_FACTS_PLACES];
static Facts *facts = kept; /* of the table that is in use */

/* The attribute of the column, if it has a type that is known here; or 0. */
static AttrNumber
plain_attribute(Relation rel, RagColumn col)
{
	AttrNumber attnum = get_attnum(RelationGetRelid(rel), rag_columns[col].name);
	Form_pg_attribute attr;

	if (attnum <= 0)
		return InvalidAttrNumber;
	attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	if (!rag_column_has_type(col, attr->atttypid, attr->atttypmod) ||
		attr->attgenerated != '\0')
		return InvalidAttrNumber;
	return attnum;
}

/* Has the index all rows that have a key: no predicate, or just that one? */
static bool
has_all_keys(Relation index)
{
	List *predicate = RelationGetIndexPredicate(index);
	NullTest *test;
	Node *arg;

	if (predicate == NIL)
		return true;
	test = linitial(predicate);
	if (list_length(predicate) != 1 || !IsA(test, NullTest) ||
		test->nulltesttype != IS_NOT_NULL)
		return false;
	arg = (Node *) test->arg;
	if (IsA(arg, RelabelType))
		arg = (Node *) ((RelabelType *) arg)->arg;
	return IsA(arg, Var) && ((Var *) arg)->varattno == facts->key;
}

static bool
is_index_of_keys(Relation index)
{
	Form_pg_index form = index->rd_index;

	return form->indisunique && form->indisvalid && form->indimmediate &&
		!form->indcheckxmin && index->rd_rel->relam == BTREE_AM_OID &&
		form->indnkeyatts == 2 && form->indkey.values[0] == facts->session_id &&
		form->indkey.values[1] == facts->key && index->rd_opcintype[0] == UUIDOID &&
		index->rd_opfamily[1] == TEXT_BTREE_FAM_OID &&
		get_collation_isdeterministic(index->rd_indcollation[1]) && has_all_keys(index);
}

static bool
find_index(Relation rel)
{
	List *indexes = RelationGetIndexList(rel);
	ListCell *lc;

	facts->index = InvalidOid;
	foreach (lc, indexes)
	{
		Relation index = index_open(lfirst_oid(lc), AccessShareLock);

		if (is_index_of_keys(index))
		{
			facts->index = RelationGetRelid(index);
			facts->collation = index->rd_indcollation[1];
		}
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return OidIsValid(facts->index);
}

static bool
is_plain(Relation rel)
{
	if (rag_table_obstacle(rel) != NULL)
		return false;
	facts->id = plain_attribute(rel, COL_ID);
	facts->session_id = plain_attribute(rel, COL_SESSION_ID);
	facts->role = plain_attribute(rel, COL_ROLE);
	facts->key = plain_attribute(rel, COL_IDEMPOTENCY_KEY);
	if (facts->id == 0 || facts->session_id == 0 || facts->role == 0 || facts->key == 0)
		return false;
	facts->id_is_int4 = get_atttype(RelationGetRelid(rel), facts->id) == INT4OID;
	return find_index(rel);
}

static void
find_facts(Relation rel)
{
	rag_begin_facts(&facts->table, RelationGetRelid(rel), InvalidOid);
	facts->plain = is_plain(rel);
	rag_end_facts(&facts->table);
}

static void
read_match(HeapTuple row, TupleDesc desc, RagKeyMatch *match)
{
	bool isnull;
	Datum value = heap_getattr(row, facts->id, desc, &isnull);

	match->found = true;
	match->id = facts->id_is_int4 ? DatumGetInt32(value) : DatumGetInt64(value);
	value = heap_getattr(row, facts->role, desc, &isnull);
	match->role = isnull ? NULL : DatumGetTextPCopy(value);
}

static void
find_key(Relation rel, const RagMessage *message, RagKeyMatch *match)
{
	ScanKeyData keys[2];
	RagFoundRow found;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_UUID_EQ,
				message->values[COL_SESSION_ID]);
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, TEXTOID,
						   facts->collation, F_TEXTEQ,
						   message->values[COL_IDEMPOTENCY_KEY]);
	if (rag_find_row(rel, facts->index, keys, 2, &found))
	{
		read_match(&found.row, RelationGetDescr(rel), match);
		rag_release_row(&found);
	}
}

bool
rag_find_key_directly(const RagMessage *message, Oid nspoid, RagKeyMatch *match)
{
	const pg_uuid_t *session_id = DatumGetUUIDP(message->values[COL_SESSION_ID]);
	Relation rel = rag_open_table_of(session_id, RAG_MESSAGES, nspoid, AccessShareLock);
	bool plain;

	memset(match, 0, sizeof(RagKeyMatch));
	facts = &kept[rag_place_of_facts(RelationGetRelid(rel))];
	if (!rag_facts_hold(&facts->table, RelationGetRelid(rel)))
		find_facts(rel);
	plain = facts->plain && rag_caller_obstacle(rel, ACL_SELECT) == NULL;
	if (plain)
	{
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
		find_key(rel, message, match);
		PopActiveSnapshot();
	}
	table_close(rel, NoLock);
	return plain;
}
