/*
 * base/find_row.c
 *		Finding a row by its key without the executor, for shortcuts.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/relscan.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/find_row.h"

/* Finds the version that the snapshot sees among those that begin at this place. */
static bool
fetch_row(Relation rel, ItemPointerData place, RagFoundRow *found, bool *all_dead)
{
	bool seen;

	found->buffer = ReadBuffer(rel, ItemPointerGetBlockNumber(&place));
	LockBuffer(found->buffer, BUFFER_LOCK_SHARE);
	seen = heap_hot_search_buffer(&place, rel, found->buffer, GetActiveSnapshot(),
								  &found->row, all_dead, true);
	LockBuffer(found->buffer, BUFFER_LOCK_UNLOCK);
	if (!seen)
		ReleaseBuffer(found->buffer);
	return seen;
}

bool
rag_find_row(Relation rel, Oid index, ScanKey keys, int nkeys, RagFoundRow *found)
{
	Relation index_rel = index_open(index, AccessShareLock);
	IndexScanDesc scan = rag_index_beginscan(rel, index_rel, GetActiveSnapshot(), nkeys);
	bool seen = false;
	ItemPointer place;

	index_rescan(scan, keys, nkeys, NULL, 0);
	while (!seen && (place = index_getnext_tid(scan, ForwardScanDirection)))
	{
		bool all_dead;

		seen = fetch_row(rel, *place, found, &all_dead);
		/* As scans do, so that the entries of dead rows are not followed again. */
		if (!seen && !scan->xactStartedInRecovery)
			scan->kill_prior_tuple = all_dead;
	}
	if (seen)
		pgstat_count_heap_fetch(index_rel);
	index_endscan(scan);
	index_close(index_rel, AccessShareLock);
	return seen;
}

void
rag_release_row(RagFoundRow *found)
{
	ReleaseBuffer(found->buffer);
}
