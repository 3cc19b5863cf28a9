/*
 * message/newest_messages.h
 *		Reading the messages of a session from the newest on.
 */
#ifndef RAG_NEWEST_MESSAGES_H
#define RAG_NEWEST_MESSAGES_H

#include "base/compat.h"

#include "base/statement.h"
#include "message/message.h"
#include "message/scan_messages.h"

#define RAG_NEWEST_COLUMNS 5

/*
 * Which columns are read: a reader defines it once. The statements are made when they
 * are needed.
 */
typedef struct RagNewest
{
	int n;
	RagColumn columns[RAG_NEWEST_COLUMNS];
	RagStatement statements[2]; /* by scan->inclusive */
} RagNewest;

/*
 * Calls receive for each message of the session after scan->id, newest first, at most
 * max, until it returns false. The values, which are valid during the call, are those
 * of newest->columns, by their place there. Sees what the calling query sees. The
 * caller is connected to SPI.
 */
extern void rag_read_newest(Oid nspoid, const RagScan *scan, int max, RagNewest *newest,
							RagReceiveMessage receive, void *arg);

#endif /* RAG_NEWEST_MESSAGES_H */
