/*
 * cluster/ids.h
 *		Drawing ids of messages.
 */
#ifndef RAG_IDS_H
#define RAG_IDS_H

#include "base/compat.h"

/* The remainders of ids by this number tell which node has drawn them. */
#ifndef RAG_ID_STEP
#define RAG_ID_STEP 1024
#endif

typedef struct RagIds
{
	Oid sequence;
	bool distributed;
	int64 last; /* where it is distributed: the last id of the session, or 0 */
} RagIds;

/*
 * Begins to draw ids for messages of a session, which is locked. If it has messages, and
 * ids.distributed is set, the caller sets ids.last.
 */
extern RagIds rag_begin_ids(Oid nspoid);

/* Draws an id that is after ids->last. */
extern int64 rag_next_id(RagIds *ids);

#endif /* RAG_IDS_H */
