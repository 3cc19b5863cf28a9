/*
 * read/get_messages_direct.h
 *		Reading a page of messages without a SELECT, where that makes no difference.
 */
#ifndef RAG_GET_MESSAGES_DIRECT_H
#define RAG_GET_MESSAGES_DIRECT_H

#include "base/compat.h"

#include "message/scan_messages.h"

/* The largest page that is read directly, because all of it is kept in memory. */
#define RAG_MAX_DIRECT_PAGE 1000

/* At most max messages of the scan. */
typedef struct RagPage
{
	RagScan scan;
	int max;
	bool include_sources; /* otherwise they are null, and not read */
} RagPage;

/*
 * Returns the messages, in the order of their ids, as the result of the SQL function,
 * which is set up to return them; then true. Returns false, with nothing done, if
 * only a SELECT can read them: the table is not plain for the caller, or the page is
 * large.
 */
extern bool rag_return_page_directly(FunctionCallInfo fcinfo, Oid nspoid,
									 const RagPage *page);

#endif /* RAG_GET_MESSAGES_DIRECT_H */
