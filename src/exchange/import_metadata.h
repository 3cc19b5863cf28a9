/*
 * exchange/import_metadata.h
 *		What the messages of other programs have and our columns do not: it is collected,
 *		and becomes a message's metadata or the result of a tool.
 */
#ifndef RAG_IMPORT_METADATA_H
#define RAG_IMPORT_METADATA_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "message/message.h"

/* Starts as zeros. Values point into the JSON that is read. */
typedef struct RagExtra
{
	JsonbValue *metadata; /* the message's own: an object or null; or NULL */
	List *fields;		  /* JsonbPair */
	List *calls;		  /* of tools: JsonbValue, objects; where no field has them */
	List *results;		  /* of tools: the same */
	List *items;		  /* elements that are kept as they are: the same */
	bool has_usage;		  /* the message's number of tokens is the model's */
} RagExtra;

/*
 * These values count as empty: null, false, "", [] and {}. They say no more than a
 * missing field.
 */
extern bool rag_json_is_empty(const JsonbValue *value);

extern void rag_keep_field(RagExtra *extra, const char *name, int len,
						   const JsonbValue *value);

/* The value of a field that was kept, or NULL. */
extern const JsonbValue *rag_kept_field(const RagExtra *extra, const char *name);

/* The fields that were kept, as an object. */
extern Jsonb *rag_kept_fields(const RagExtra *extra);

/* The result of a tool as an object: the fields kept, and its content. */
extern JsonbValue *rag_tool_result(const RagExtra *extra, const text *content);

/*
 * Sets the message's metadata, if there is any: what it came with, the fields kept, and
 * the lists as "tool_calls", "tool_results" and "items"; and its number of tokens, where
 * what is kept counts. Raises 22023 where a name is used twice.
 */
extern void rag_set_metadata(RagMessage *message, const RagExtra *extra);

#endif /* RAG_IMPORT_METADATA_H */
