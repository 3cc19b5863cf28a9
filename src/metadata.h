/*
 * metadata.h
 *		Changing the metadata of a session or a message.
 */
#ifndef RAG_METADATA_H
#define RAG_METADATA_H

#include "compat.h"

#include "utils/jsonb.h"

/*
 * Raises 22023 unless the metadata is a JSON object. table is the one that it is for,
 * element as for rag_element().
 */
extern void rag_check_metadata(const Jsonb *metadata, Oid nspoid, const char *table,
							   int element);

/*
 * What metadata becomes when change is merged into it: the keys of change replace
 * those of metadata, and the keys that change has with null are removed. change is
 * an object. metadata may be NULL; raises 22023 when it is neither an object nor
 * null.
 */
extern Jsonb *rag_merge_metadata(Jsonb *metadata, Jsonb *change, Oid nspoid,
								 const char *table);

#endif /* RAG_METADATA_H */
