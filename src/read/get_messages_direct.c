/*
 * read/get_messages_direct.c
 *		Reading a page of messages without a SELECT, where that makes no difference.
 *
 *		Half of what the SELECT of a small page costs is starting the executor, sorting
 *		the page into the order of ids and copying its rows. Here the rows go straight
 *		from the index on (session_id, id) to the caller.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_index.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_type_d.h"
#include "funcapi.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "base/schema.h"
#include "base/table_facts.h"
#include "message/message.h"
#include "read/get_messages_direct.h"

/* What follows from the definition of the table alone. */
static RagTableFacts facts_of_messages;
static struct
{
	bool plain; /* the other fields are set, and a SELECT would do no more */
	bool id_is_int4;
	Oid index; /* on (session_id, id) */
	AttrNumber session_id;
	AttrNumber attnums[RAG_NCOLUMNS]; /* of the columns of the result */
} facts;

static bool
has_plain_columns(Relation rel)
{
	TupleDesc desc = RelationGetDescr(rel);

	facts.session_id = get_attnum(RelationGetRelid(rel), "session_id");
	if (facts.session_id <= 0 ||
		TupleDescAttr(desc, facts.session_id - 1)->atttypid != UUIDOID)
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
		facts.attnums[col] = attnum;
	}
	facts.id_is_int4 =
		get_atttype(RelationGetRelid(rel), facts.attnums[COL_ID]) == INT4OID;
	return true;
}

/* Is it a complete index that begins with (session_id, id), both ascending? */
static bool
is_in_order(Relation index)
{
	Form_pg_index form = index->rd_index;

	return form->indisvalid && !form->indcheckxmin &&
		index->rd_rel->relam == BTREE_AM_OID && form->indnkeyatts >= 2 &&
		form->indkey.values[0] == facts.session_id &&
		form->indkey.values[1] == facts.attnums[COL_ID] &&
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
			facts.index = RelationGetRelid(index);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return OidIsValid(facts.index);
}

static void
find_facts(Relation rel)
{
	rag_begin_facts(&facts_of_messages, RelationGetRelid(rel), InvalidOid);
	facts.index = InvalidOid;
	facts.plain = rag_table_obstacle(rel) == NULL && has_plain_columns(rel) &&
		find_index(rel);
	rag_end_facts(&facts_of_messages);
}

/*
 * Makes a row of the result. The two arrays have room for all columns of the table.
 */
static HeapTuple
result_row(HeapTuple message, TupleDesc desc, bool include_sources,
		   TupleDesc result_desc, Datum *all_values, bool *all_nulls)
{
	Datum values[RAG_NRESULTS];
	bool nulls[RAG_NRESULTS];

	heap_deform_tuple(message, desc, all_values, all_nulls);
	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		int i = rag_columns[col].result_no - 1;

		if (i < 0)
			continue;
		values[i] = all_values[facts.attnums[col] - 1];
		nulls[i] = all_nulls[facts.attnums[col] - 1];
		if (col == COL_ID && facts.id_is_int4)
			values[i] = Int64GetDatum(DatumGetInt32(values[i]));
		else if (col == COL_SOURCES)
			nulls[i] |= !include_sources;
	}
	return heap_form_tuple(result_desc, values, nulls);
}

/* How the ids of messages are compared with the id of the page, which is an int8. */
typedef struct Comparison
{
	StrategyNumber strategy;
	RegProcedure int4_column; /* the function, if the column is an int4 ... */
	RegProcedure int8_column;
} Comparison;

/*
 * The first index says whether the page goes forward, the second whether it is
 * inclusive.
 */
static const Comparison comparisons[2][2] = {
	{{BTLessStrategyNumber, F_INT48LT, F_INT8LT},
	 {BTLessEqualStrategyNumber, F_INT48LE, F_INT8LE}},
	{{BTGreaterStrategyNumber, F_INT48GT, F_INT8GT},
	 {BTGreaterEqualStrategyNumber, F_INT48GE, F_INT8GE}}};

static SysScanDesc
begin_scan(Relation rel, Relation index, const RagPage *page)
{
	bool forward = ScanDirectionIsForward(page->direction);
	const Comparison *comparison = &comparisons[forward][page->inclusive];
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], facts.session_id, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(page->session_id));
	ScanKeyEntryInitialize(&keys[1], 0, facts.attnums[COL_ID], comparison->strategy,
						   INT8OID, InvalidOid,
						   facts.id_is_int4 ? comparison->int4_column :
											  comparison->int8_column,
						   Int64GetDatum(page->id));
	return systable_beginscan_ordered(rel, index, GetActiveSnapshot(), 2, keys);
}

static void
return_page(Relation rel, const RagPage *page, ReturnSetInfo *rsinfo)
{
	TupleDesc desc = RelationGetDescr(rel);
	Datum *values = palloc(sizeof(Datum) * desc->natts);
	bool *nulls = palloc(sizeof(bool) * desc->natts);
	Relation index = index_open(facts.index, AccessShareLock);
	HeapTuple *rows = palloc(sizeof(HeapTuple) * page->max);
	SysScanDesc scan = begin_scan(rel, index, page);
	HeapTuple message;
	int n = 0;

	while (n < page->max &&
		   (message = systable_getnext_ordered(scan, page->direction)) != NULL)
		rows[n++] = result_row(message, desc, page->include_sources, rsinfo->setDesc,
							   values, nulls);
	systable_endscan_ordered(scan);
	index_close(index, NoLock);

	for (int i = 0; i < n; i++)
	{
		bool forward = ScanDirectionIsForward(page->direction);

		tuplestore_puttuple(rsinfo->setResult, rows[forward ? i : n - 1 - i]);
	}
}

bool
rag_return_page_directly(FunctionCallInfo fcinfo, Oid nspoid, const RagPage *page)
{
	Relation rel;
	bool plain;

	if (page->max > RAG_MAX_DIRECT_PAGE)
		return false;
	rel = rag_open_table("messages", nspoid, AccessShareLock);
	if (!rag_facts_hold(&facts_of_messages, RelationGetRelid(rel)))
		find_facts(rel);
	plain = facts.plain && rag_caller_obstacle(rel, ACL_SELECT) == NULL;
	if (plain)
		return_page(rel, page, (ReturnSetInfo *) fcinfo->resultinfo);
	table_close(rel, NoLock);
	return plain;
}
