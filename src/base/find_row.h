/*
 * base/find_row.h
 *		Finding a row by its key without the executor, for shortcuts.
 */
#ifndef RAG_FIND_ROW_H
#define RAG_FIND_ROW_H

#include "base/compat.h"

#include "access/htup.h"
#include "access/skey.h"
#include "storage/buf.h"
#include "utils/relcache.h"

/* A row on its page, where it stays as it is until rag_release_row(). */
typedef struct RagFoundRow
{
	HeapTupleData row;
	Buffer buffer;
} RagFoundRow;

/*
 * Finds a row of a heap that the active snapshot sees, by a B-tree index: the first, if
 * there are several. The keys are for the index's first columns. Returns false if there
 * is none.
 *
 * Unlike a scan it does not prune the page. Scans do as soon as less than a tenth of it
 * is free, and the page of a row that is updated all the time always is like that:
 * pruning it each time costs more than finding the row. rag_update_row() prunes it when
 * its room is used up.
 */
extern bool rag_find_row(Relation rel, Oid index, ScanKey keys, int nkeys,
						 RagFoundRow *found);
extern void rag_release_row(RagFoundRow *found);

#endif /* RAG_FIND_ROW_H */
