/*
 * exchange/import_element.h
 *		An element of an array of messages, read by the table of its form.
 */
#ifndef RAG_IMPORT_ELEMENT_H
#define RAG_IMPORT_ELEMENT_H

#include "base/compat.h"

#include "utils/jsonb.h"

#include "message/message.h"
#include "exchange/import_forms.h"
#include "exchange/import_metadata.h"
#include "exchange/import_parts.h"

typedef struct RagElement
{
	int place; /* in the array, from 1 */
	const RagForm *form;
	bool strict; /* an unknown field is an error */
	int kind;
	JsonbValue value;	 /* all of it */
	RagMessage *message; /* where the columns go */
	bool has_id;
	int64 id;			/* that it had */
	bool has_call;		/* the content may be missing */
	JsonbValue unknown; /* a field that may be the missing content; null: none */
	RagContent content;
	RagExtra extra;
} RagElement;

/*
 * Reads an element. element has its place and its message, and strict where the document
 * says so; the rest are zeros.
 *
 * Raises 22023, naming the place, for what is of no form, or not as its form wants it;
 * 23514 for another role.
 */
extern void rag_read_element(RagElement *element, const JsonbValue *value, Oid nspoid);

/*
 * Raises an error for an element without a content: 22023 if it may be in a field that is
 * not known, and else 22004.
 */
pg_noreturn extern void rag_error_no_content(const RagElement *element, Oid nspoid);

#endif /* RAG_IMPORT_ELEMENT_H */
