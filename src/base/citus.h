/*
 * base/citus.h
 *		What Citus knows of tables, and what it has to know of us.
 *
 *		Only this module reads the catalogs of Citus and calls its functions. Whether
 *		tables are distributed is asked of base/distributed.h, which keeps the answers.
 */
#ifndef RAG_CITUS_H
#define RAG_CITUS_H

#include "base/compat.h"

/* Was Citus loaded when the server started? */
extern bool rag_citus_is_loaded(void);

/* Does Citus distribute the table, or otherwise care for it? */
extern bool rag_citus_has_table(Oid table);

/* Is this node the coordinator, as far as Citus tells? */
extern bool rag_citus_is_coordinator(void);

typedef struct RagCitusShard
{
	int64 id;
	int32 min; /* the least hash that it has rows of */
	bool here; /* this node has its only copy */
} RagCitusShard;

/*
 * The shards of a table that is distributed by hash, in the order of their hashes.
 * Returns how many there are.
 */
extern int rag_citus_shards(Oid table, RagCitusShard **shards);

/*
 * May rows of a shard that is here be read or changed straight in the shard? Not if Citus
 * has gone to this node by a connection in this transaction, or is not to work here, or
 * is a version that we do not know. Raises the error of Citus where we are called by its
 * own query on a shard.
 */
extern bool rag_citus_lets_us_in(void);

/*
 * Keeps the shard, and those of other tables that go with it, from being moved or split
 * until the end of the transaction. They may have been while we waited.
 */
extern void rag_citus_hold_shard(int64 shard);

/*
 * Tells Citus that this transaction has used a shard of this node, so that its own
 * statements do so too, and commits in two phases where it has to.
 */
extern void rag_citus_note_use(bool changed);

#endif /* RAG_CITUS_H */
