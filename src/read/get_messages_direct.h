/*
 * read/get_messages_direct.h
 *		Reading a page of messages without a SELECT, where that makes no difference.
 */
#ifndef RAG_GET_MESSAGES_DIRECT_H
#define RAG_GET_MESSAGES_DIRECT_H

#include "base/compat.h"

#include "access/sdir.h"
#include "utils/uuid.h"

/* The largest page that is read directly, because all of it is kept in memory. */
#define RAG_MAX_DIRECT_PAGE 1000

/*
 * A way through messages of a session: those before or after an id, in a direction.
 */
typedef struct RagScan
{
	const pg_uuid_t *session_id;
	bool after; /* ids are greater than id; otherwise less */
	int64 id;
	bool inclusive; /* also the message with that id */
	ScanDirection direction;
} RagScan;

/* At most max messages of the scan. */
typedef struct RagPage
{
	RagScan scan;
	int max;
	bool include_sources; /* otherwise they are null, and not read */
} RagPage;

/*
 * Takes a message: its values by column, of those columns that have a place in the
 * result of rag_get_messages(). Returns false if no more are wanted.
 */
typedef bool (*RagReceiveMessage)(const Datum *values, const bool *isnull, void *arg);

/*
 * Calls receive for each message of the scan, with arg. The values are valid during the
 * call. Returns false, with nothing done, if only a SELECT can read the messages: the
 * table is not plain for the caller.
 */
extern bool rag_scan_messages_directly(Oid nspoid, const RagScan *scan,
									   RagReceiveMessage receive, void *arg);

/*
 * Returns the messages, in the order of their ids, as the result of the SQL function,
 * which is set up to return them; then true. Returns false, with nothing done, if
 * only a SELECT can read them: the table is not plain for the caller, or the page is
 * large.
 */
extern bool rag_return_page_directly(FunctionCallInfo fcinfo, Oid nspoid,
									 const RagPage *page);

#endif /* RAG_GET_MESSAGES_DIRECT_H */
