/*
 * exchange/import_parts.h
 *		The content of a message: its text, and what its parts are besides.
 */
#ifndef RAG_IMPORT_PARTS_H
#define RAG_IMPORT_PARTS_H

#include "base/compat.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "exchange/import_forms.h"

/* Starts as zeros. */
typedef struct RagContent
{
	bool has_text;		 /* there was a content, even if it says nothing */
	StringInfoData text; /* with has_text */
	List *calls;		 /* of tools, as OpenAI has them: JsonbValue */
	List *results;		 /* {"tool_call_id", "content", ...}: JsonbValue */
	List *system;		 /* texts for the model: text */
	JsonbValue *parts;	 /* what else there is to keep: an array; or NULL */
} RagContent;

/*
 * Reads a content: a string; an array of parts; or, unless strict, an object that is one
 * part or has "parts". Null is none. field is its name, for errors.
 *
 * Raises 22023 for anything else.
 */
extern void rag_read_content(RagContent *content, const RagForm *form, bool strict,
							 int place, const char *field, const JsonbValue *value);

/* Reads an element that is what one part of a content is elsewhere. */
extern void rag_read_item(RagContent *content, const RagForm *form, int place,
						  const JsonbValue *item);

/*
 * Reads calls and results that are in fields of an object (one, or an array of them) that
 * are named as types of parts. A result is all that the content says then.
 */
extern void rag_read_nested(RagContent *content, const RagForm *form, int place,
							const JsonbValue *object);

/* The text of it, or NULL if there was none. */
extern text *rag_content_text(const RagContent *content);

/* Appends what a content says to a person: a string, an object, or an array of parts. */
extern void rag_append_content(StringInfo text, const JsonbValue *value);

#endif /* RAG_IMPORT_PARTS_H */
