/*
 * write/insert_direct.c
 *		Inserting messages without an INSERT, where that makes no difference.
 *
 *		What an INSERT does beyond storing rows and index entries is either done
 *		here (privileges, NOT NULL and CHECK constraints, unique and exclusion
 *		constraints, the default of created_at), or it is a reason to step aside
 *		(row security, rules, triggers, generated columns, ...), which
 *		insert_facts.c finds out. The one thing that is left out is the check of our
 *		own foreign key: the caller holds the session's lock.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "parser/parse_relation.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "message/message.h"
#include "write/insert_direct.h"
#include "write/insert_facts.h"

/* Rows that are stored at once. */
#define CHUNK_ROWS 1000

/* An index that is open for new entries. */
typedef struct OpenIndex
{
	Relation rel;
	IndexInfo *info;
	AttrNumber only_with; /* a row where it is null has no entry; or 0 */
} OpenIndex;

typedef struct Target
{
	Relation rel;
	const RagInsertFacts *facts;
	int given;				/* optional columns that have values */
	EState *estate;			/* always set: provides the memory context of a tuple */
	ResultRelInfo *relinfo; /* NULL, or the executor checks and indexes */
	int nindexes;
	OpenIndex indexes[RAG_MAX_INDEXES];
	Datum now;
} Target;

/* ------------------------------------------------------------------------
 *		Indexes
 * ------------------------------------------------------------------------
 */

/*
 * Opens the table as the target of an INSERT of its columns, which are those that
 * errors show.
 */
static void
open_result_relation(Target *target)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	Bitmapset *inserted = NULL;
	List *infos = NIL;

	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		int attnum = target->facts->attributes[col] + 1;

		if (col < COL_FIRST_OPTIONAL || (target->given & RAG_COLUMN_BIT(col)) != 0)
			inserted = bms_add_member(inserted,
									  attnum - FirstLowInvalidHeapAttributeNumber);
	}
	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(target->rel);
	rte->relkind = target->rel->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;
	rag_inserted_columns(rte, infos) = inserted;
	rag_init_range_table(target->estate, rte, infos);
	target->relinfo = makeNode(ResultRelInfo);
	InitResultRelInfo(target->relinfo, target->rel, 1, NULL, 0);
	ExecOpenIndices(target->relinfo, false);
}

/*
 * Does what ExecOpenIndices() does, except for an index in which none of the messages
 * will be: most often that of idempotency keys.
 */
static void
open_indexes(Target *target)
{
	for (int i = 0; i < target->facts->nindexes; i++)
	{
		const RagIndex *index = &target->facts->indexes[i];
		OpenIndex *open = &target->indexes[target->nindexes];

		if (index->only_with != 0 && (index->only_with & target->given) == 0)
			continue;
		open->rel = index_open(index->oid, RowExclusiveLock);
		open->info = BuildIndexInfo(open->rel);
		open->only_with = index->only_with == 0 ? 0 : index->attribute;
		target->nindexes++;
	}
}

/* Does what ExecInsertIndexTuples() does for plain indexes. */
static void
insert_index_entries(Target *target, TupleTableSlot *slot)
{
	for (int i = 0; i < target->nindexes; i++)
	{
		OpenIndex *open = &target->indexes[i];
		Datum values[INDEX_MAX_KEYS];
		bool isnull[INDEX_MAX_KEYS];

		if (!open->info->ii_ReadyForInserts ||
			(open->only_with != 0 && slot_attisnull(slot, open->only_with)))
			continue;
		FormIndexDatum(open->info, slot, target->estate, values, isnull);
		index_insert(open->rel, values, isnull, &slot->tts_tid, target->rel,
					 open->info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
					 false, open->info);
	}
}

/*
 * The locks are kept until the end of the transaction, as that of the table is, so
 * that its next call has them.
 */
static void
close_indexes(Target *target)
{
	if (target->relinfo)
		ExecCloseIndices(target->relinfo);
	for (int i = 0; i < target->nindexes; i++)
	{
		rag_index_insert_cleanup(target->indexes[i].rel, target->indexes[i].info);
		index_close(target->indexes[i].rel, NoLock);
	}
}

/* ------------------------------------------------------------------------
 *		Storing rows
 * ------------------------------------------------------------------------
 */

/* A column that is left out is null, except created_at. */
static void
fill_slot(TupleTableSlot *slot, const Target *target, const RagMessage *message)
{
	const RagInsertFacts *facts = target->facts;
	int16 created_at = facts->attributes[COL_CREATED_AT];
	int16 id = facts->attributes[COL_ID];

	ExecClearTuple(slot);
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		int col = facts->columns[i];

		slot->tts_values[i] = col == RAG_NO_COLUMN ? (Datum) 0 : message->values[col];
		slot->tts_isnull[i] = col == RAG_NO_COLUMN ? true : message->isnull[col];
	}
	if (created_at != RAG_NO_COLUMN && slot->tts_isnull[created_at])
	{
		slot->tts_values[created_at] = target->now;
		slot->tts_isnull[created_at] = false;
	}
	if (facts->id_is_int4)
		slot->tts_values[id] = DirectFunctionCall1(int84, slot->tts_values[id]);
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(target->rel);
	if (!facts->constraints_hold && RelationGetDescr(target->rel)->constr)
		ExecConstraints(target->relinfo, slot, target->estate);
}

/* As COPY does: the memory that one chunk of rows needs is freed before the next. */
static void
store_rows(Target *target, TupleTableSlot **slots, int n)
{
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(target->estate));

	table_multi_insert(target->rel, slots, n, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < n; i++)
	{
		ResetPerTupleExprContext(target->estate);
		if (target->relinfo == NULL)
			insert_index_entries(target, slots[i]);
		else if (target->relinfo->ri_NumIndices > 0)
			(void) rag_insert_index_tuples(target->relinfo, slots[i], target->estate);
	}
	ResetPerTupleExprContext(target->estate);
	MemoryContextSwitchTo(old);
}

static void
store_in_chunks(Target *target, RagMessage **messages, int n)
{
	int nslots = Min(n, CHUNK_ROWS);
	TupleTableSlot **slots = palloc(sizeof(TupleTableSlot *) * nslots);
	int filled = 0;

	for (int i = 0; i < nslots; i++)
		slots[i] = table_slot_create(target->rel, NULL);

	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		fill_slot(slots[filled], target, messages[i]);
		if (++filled == nslots || i == n - 1)
		{
			store_rows(target, slots, filled);
			filled = 0;
		}
	}

	table_finish_bulk_insert(target->rel, 0);
	for (int i = 0; i < nslots; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
}

/*
 * Functions in constraints and indexes are to see what the transaction did so far, the
 * touch or the new session included, as in an INSERT.
 */
void
rag_insert_directly(Relation rel, const RagInsertFacts *facts, RagMessage **messages,
					int n, int given)
{
	Target target = {.rel = rel, .facts = facts, .given = given};

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	target.estate = CreateExecutorState();
	target.now = TimestampGetDatum(GetSQLLocalTimestamp(-1));
	if (facts->constraints_hold && facts->indexes_plain)
		open_indexes(&target);
	else
		open_result_relation(&target);

	store_in_chunks(&target, messages, n);

	close_indexes(&target);
	FreeExecutorState(target.estate);
	PopActiveSnapshot();
	CommandCounterIncrement();
}
