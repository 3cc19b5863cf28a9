/*
 * message/scan_messages.c
 *		Scans of a session's messages without a SELECT, where that makes no difference.
 *
 *		The rows go straight from the index on (session_id, id) to the caller.
 *		base/table_facts.h has the contract.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/distributed.h"
#include "base/table_facts.h"
#include "message/message.h"
#include "message/scan_messages.h"

/* What follows from the definition of the table alone. */
typedef struct Facts
{
	RagTableFacts table;
	bool plain; /* the other fields are set, and a SELECT would do no more */
	bool id_is_int4;
	Oid index; /* on (session_id, id) */
	AttrNumber session_id;
	AttrNumber attnums[RAG_NCOLUMNS]; /* of the columns of the result */
} Facts;

static Facts kept[RAG_FACTS_PLACES];
static Facts *facts = kept; /* of the table that is in use */

static bool
has_plain_columns(Relation rel)
{
	TupleDesc desc = RelationGetDescr(rel);

	facts->session_id = get_attnum(RelationGetRelid(rel), "session_id");
	if (facts->session_id <= 0 ||
		TupleDescAttr(desc, facts->session_id - 1)->atttypid != UUIDOID)
		return false;
	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		AttrNumber attnum;
		Form_pg_attribute attr;

		if (rag_columns[col].result_no == 0)
			continue;
		attnum = get_attnum(RelationGetRelid(rel), rag_columns[col].name);
		if (attnum <= 0)
			return false;
		attr = TupleDescAttr(desc, attnum - 1);
		if (!rag_column_has_type(col, attr->atttypid, -1) || attr->attgenerated != '\0')
			return false;
		facts->attnums[col] = attnum;
	}
	facts->id_is_int4 =
		get_atttype(RelationGetRelid(rel), facts->attnums[COL_ID]) == INT4OID;
	return true;
}

/* Is it a complete index that begins with (session_id, id), both ascending? */
static bool
is_in_order(Relation index)
{
	Form_pg_index form = index->rd_index;

	return form->indisvalid && !form->indcheckxmin &&
		index->rd_rel->relam == BTREE_AM_OID && form->indnkeyatts >= 2 &&
		form->indkey.values[0] == facts->session_id &&
		form->indkey.values[1] == facts->attnums[COL_ID] &&
		index->rd_indoption[0] == 0 && index->rd_indoption[1] == 0 &&
		index->rd_opcintype[0] == UUIDOID &&
		index->rd_opfamily[1] == INTEGER_BTREE_FAM_OID &&
		heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);
}

static bool
find_index(Relation rel)
{
	List *indexes = RelationGetIndexList(rel);
	ListCell *lc;

	foreach (lc, indexes)
	{
		Relation index = index_open(lfirst_oid(lc), AccessShareLock);

		if (is_in_order(index))
			facts->index = RelationGetRelid(index);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return OidIsValid(facts->index);
}

static void
find_facts(Relation rel)
{
	rag_begin_facts(&facts->table, RelationGetRelid(rel), InvalidOid);
	facts->index = InvalidOid;
	facts->plain = rag_table_obstacle(rel) == NULL && has_plain_columns(rel) &&
		find_index(rel);
	rag_end_facts(&facts->table);
}

/* How the ids of messages are compared with the id of the scan, which is an int8. */
typedef struct Comparison
{
	StrategyNumber strategy;
	RegProcedure int4_column; /* the function, if the column is an int4 ... */
	RegProcedure int8_column;
} Comparison;

/*
 * The first index says whether ids are greater, the second whether the scan is
 * inclusive.
 */
static const Comparison comparisons[2][2] = {
	{{BTLessStrategyNumber, F_INT48LT, F_INT8LT},
	 {BTLessEqualStrategyNumber, F_INT48LE, F_INT8LE}},
	{{BTGreaterStrategyNumber, F_INT48GT, F_INT8GT},
	 {BTGreaterEqualStrategyNumber, F_INT48GE, F_INT8GE}}};

static SysScanDesc
begin_scan(Relation rel, Relation index, const RagScan *scan)
{
	const Comparison *comparison = &comparisons[scan->after][scan->inclusive];
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], facts->session_id, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(scan->session_id));
	ScanKeyEntryInitialize(&keys[1], 0, facts->attnums[COL_ID], comparison->strategy,
						   INT8OID, InvalidOid,
						   facts->id_is_int4 ? comparison->int4_column :
											   comparison->int8_column,
						   Int64GetDatum(scan->id));
	return systable_beginscan_ordered(rel, index, GetActiveSnapshot(), 2, keys);
}

/* The values of a message by column. The first two arrays have room for the table's. */
static void
values_by_column(HeapTuple message, TupleDesc desc, Datum *all_values, bool *all_nulls,
				 Datum *values, bool *isnull)
{
	heap_deform_tuple(message, desc, all_values, all_nulls);
	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		isnull[col] = true;
		if (rag_columns[col].result_no == 0)
			continue;
		values[col] = all_values[facts->attnums[col] - 1];
		isnull[col] = all_nulls[facts->attnums[col] - 1];
	}
	if (facts->id_is_int4)
		values[COL_ID] = Int64GetDatum(DatumGetInt32(values[COL_ID]));
}

static void
scan_messages(Relation rel, const RagScan *scan, RagReceiveMessage receive, void *arg)
{
	TupleDesc desc = RelationGetDescr(rel);
	Datum *all_values = palloc(sizeof(Datum) * desc->natts);
	bool *all_nulls = palloc(sizeof(bool) * desc->natts);
	Relation index = index_open(facts->index, AccessShareLock);
	SysScanDesc sysscan = begin_scan(rel, index, scan);
	Datum values[RAG_NCOLUMNS];
	bool isnull[RAG_NCOLUMNS];
	HeapTuple message;

	do
	{
		CHECK_FOR_INTERRUPTS();
		message = systable_getnext_ordered(sysscan, scan->direction);
		if (message)
			values_by_column(message, desc, all_values, all_nulls, values, isnull);
	} while (message && receive(values, isnull, arg));
	systable_endscan_ordered(sysscan);
	index_close(index, NoLock);
}

bool
rag_scan_messages_directly(Oid nspoid, const RagScan *scan, RagReceiveMessage receive,
						   void *arg)
{
	Relation rel = rag_open_table_of(scan->session_id, RAG_MESSAGES, nspoid,
									 AccessShareLock);
	bool plain;

	facts = &kept[rag_place_of_facts(RelationGetRelid(rel))];
	if (!rag_facts_hold(&facts->table, RelationGetRelid(rel)))
		find_facts(rel);
	plain = facts->plain && rag_caller_obstacle(rel, ACL_SELECT) == NULL;
	if (plain)
		scan_messages(rel, scan, receive, arg);
	table_close(rel, NoLock);
	return plain;
}
