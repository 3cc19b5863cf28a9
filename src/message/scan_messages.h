/*
 * message/scan_messages.h
 *		Scans of a session's messages without a SELECT, where that makes no difference.
 */
#ifndef RAG_SCAN_MESSAGES_H
#define RAG_SCAN_MESSAGES_H

#include "base/compat.h"

#include "access/sdir.h"
#include "utils/uuid.h"

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

#endif /* RAG_SCAN_MESSAGES_H */
