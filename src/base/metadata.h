/*
 * base/metadata.h
 *		Changing the metadata of a session or a message.
 */
#ifndef RAG_METADATA_H
#define RAG_METADATA_H

#include "base/compat.h"

#include "utils/jsonb.h"

extern bool rag_jsonb_is_null(Jsonb *json);

/*
 * Raises 22023 unless the metadata is a JSON object. table is the one that it is for,
 * element as for rag_element().
 */
extern void rag_check_metadata(Jsonb *metadata, Oid nspoid, const char *table,
							   int element);

/*
 * What metadata becomes when change is merged into it: the keys of change replace
 * those of metadata, and the keys that change has with null are removed. change is
 * an object. metadata may be NULL; raises 22023 when it is neither an object nor
 * null.
 */
extern Jsonb *rag_merge_metadata(Jsonb *metadata, Jsonb *change, Oid nspoid,
								 const char *table);

/*
 * A session's metadata may say up to which message its summary reaches: its key
 * "summary_upto_id" is that message's id. Returns false where the metadata (which may
 * be NULL) is no object, or the key is no whole number.
 */
extern bool rag_summary_upto(Jsonb *metadata, int64 *upto_id);

/*
 * Keys of metadata that have a meaning here. Of a session: instructions to the model, the
 * messages they came in where that was not a single plain one, and a summary.
 */
#define RAG_SYSTEM_PROMPT "system_prompt"
#define RAG_SYSTEM_MESSAGES "system_messages"
#define RAG_SUMMARY "summary"

/*
 * Of a message: calls of tools, their results, and the parts of a content that is more
 * than a text. Where exactly one part is a plain text, its text is the content, and is
 * not repeated there.
 */
#define RAG_TOOL_CALLS "tool_calls"
#define RAG_FUNCTION_CALL "function_call"
#define RAG_TOOL_RESULTS "tool_results"
#define RAG_CONTENT_PARTS "content_parts"

/* What an agent's items were, and other answers to the same question. */
#define RAG_ITEMS "items"
#define RAG_VARIANTS "variants"

/* Of a session: what it is called. */
#define RAG_TITLE "title"

/* The metadata, which is an object, with another summary_upto_id. */
extern Jsonb *rag_set_summary_upto(Jsonb *metadata, int64 upto_id);

/* The metadata, which is an object, without its summary. */
extern Jsonb *rag_remove_summary(Jsonb *metadata);

#endif /* RAG_METADATA_H */
