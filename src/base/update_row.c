/*
 * base/update_row.c
 *		Updating a row without the executor, for shortcuts.
 */
#include "base/compat.h"

#include "access/heapam.h"
#include "access/heaptoast.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/update_row.h"

bool
rag_update_triggers_are_harmless(const TriggerDesc *triggers, bool own_keys)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];
		int kind = RI_FKey_trigger_type(trigger->tgfoid);

		if (TRIGGER_FOR_UPDATE(trigger->tgtype) && kind != RI_TRIGGER_PK &&
			!(own_keys && kind == RI_TRIGGER_FK && !trigger->tgdeferrable))
			return false;
	}
	return true;
}

/* Not a HOT update: every index needs a new entry. */
static void
insert_index_entries(Relation rel, TupleTableSlot *slot)
{
	EState *estate = CreateExecutorState();
	ResultRelInfo *relinfo = makeNode(ResultRelInfo);

	InitResultRelInfo(relinfo, rel, 0, NULL, 0);
	ExecOpenIndices(relinfo, false);
	list_free(rag_insert_index_tuples(relinfo, slot, estate));
	ExecCloseIndices(relinfo);
	FreeExecutorState(estate);
}

/*
 * Prunes the page if it has no room for the row, so that the new version comes to lie
 * beside the old one. (A row that is too long will be made shorter.)
 */
static void
make_room(Relation rel, HeapTuple row)
{
	Buffer buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(&row->t_self));
	Size free;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	free = PageGetHeapFreeSpace(BufferGetPage(buffer));
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (free < MAXALIGN(Min(row->t_len, TOAST_TUPLE_TARGET)))
		rag_heap_page_prune(rel, buffer);
	ReleaseBuffer(buffer);
}

/* (heap_update() cannot be told not to wait: it has an assertion against that.) */
bool
rag_update_row(Relation rel, HeapTuple row)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel),
													&TTSOpsHeapTuple);
	ItemPointerData old = row->t_self;
	TM_FailureData failure;
	LockTupleMode mode;
	rag_update_indexes update_indexes;
	TM_Result result;

	make_room(rel, row);
	ExecStoreHeapTuple(row, slot, false);
	result = rag_table_tuple_update(rel, &old, slot, GetCurrentCommandId(true),
									GetActiveSnapshot(), true, &failure, &mode,
									&update_indexes);
	if (result == TM_Ok && update_indexes)
		insert_index_entries(rel, slot);
	ExecDropSingleTupleTableSlot(slot);
	return result == TM_Ok;
}
