/*
 * read/get_messages_direct.c
 *		Reading a page of messages without a SELECT, where that makes no difference.
 *
 *		Half of what the SELECT of a small page costs is starting the executor, sorting
 *		the page into the order of ids and copying its rows. Here the rows go straight
 *		from the index on (session_id, id) to the caller.
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/tuplestore.h"

#include "message/message.h"
#include "read/get_messages_direct.h"

typedef struct Rows
{
	const RagPage *page;
	TupleDesc desc; /* of the result */
	HeapTuple *rows;
	int n;
} Rows;

static bool
add_row(const Datum *message, const bool *message_isnull, void *arg)
{
	Rows *rows = arg;
	Datum values[RAG_NRESULTS];
	bool nulls[RAG_NRESULTS];

	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		int i = rag_columns[col].result_no - 1;

		if (i < 0)
			continue;
		values[i] = message[col];
		nulls[i] = message_isnull[col] ||
			(col == COL_SOURCES && !rows->page->include_sources);
	}
	rows->rows[rows->n++] = heap_form_tuple(rows->desc, values, nulls);
	return rows->n < rows->page->max;
}

bool
rag_return_page_directly(FunctionCallInfo fcinfo, Oid nspoid, const RagPage *page)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bool forward = ScanDirectionIsForward(page->scan.direction);
	Rows rows = {.page = page, .desc = rsinfo->setDesc};

	if (page->max > RAG_MAX_DIRECT_PAGE)
		return false;
	if (page->max == 0)
		return true;
	rows.rows = palloc(sizeof(HeapTuple) * page->max);
	if (!rag_scan_messages_directly(nspoid, &page->scan, add_row, &rows))
		return false;
	for (int i = 0; i < rows.n; i++)
		tuplestore_puttuple(rsinfo->setResult, rows.rows[forward ? i : rows.n - 1 - i]);
	return true;
}
