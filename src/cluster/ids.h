/*
 * cluster/ids.h
 *		Drawing ids of messages.
 */
#ifndef RAG_IDS_H
#define RAG_IDS_H

#include "base/compat.h"

#include "utils/uuid.h"

/* The remainders of ids by this number tell which node has drawn them. */
#ifndef RAG_ID_STEP
#define RAG_ID_STEP 1024
#endif

typedef struct RagIds
{
	Oid sequence;
	bool distributed;
	int64 last; /* the last id of the session */
} RagIds;

/*
 * Begins to draw ids for messages of the session, which is locked; NULL stands for one
 * that has no messages. The caller is connected to SPI.
 */
extern RagIds rag_begin_ids(Oid nspoid, const pg_uuid_t *session_id);

/* Draws an id that is after all ids of the session. */
extern int64 rag_next_id(RagIds *ids);

#endif /* RAG_IDS_H */
