/*
 * exchange/document_forms.h
 *		The forms of a document with one conversation. Each is a small table: which field
 *		has the messages, and what becomes of the others.
 */
#ifndef RAG_DOCUMENT_FORMS_H
#define RAG_DOCUMENT_FORMS_H

#include "base/compat.h"

#include "utils/jsonb.h"

#include "exchange/import_tree.h"

typedef enum RagDocumentAction
{
	DOC_SESSION,  /* it is a column of the session */
	DOC_MESSAGES, /* an array */
	DOC_FEEDBACK, /* on its messages */
	DOC_NODES,	  /* of a tree */
	DOC_LEAF,	  /* the id of the last node */
	DOC_HISTORY,  /* an object with nodes and leaf */
	DOC_INSIDE,	  /* an object whose fields are the document's */
	DOC_SYSTEM,	  /* instructions to the model */
	DOC_TITLE,	  /* the title, under another name */
	DOC_CREATED,  /* times: text, or seconds or milliseconds since 1970 */
	DOC_UPDATED,
	DOC_ID,	 /* the session's, if it is a UUID; and kept */
	DOC_KEEP /* it goes into the metadata under its name, as what is not named here */
} RagDocumentAction;

typedef struct RagDocumentField
{
	const char *name; /* NULL: the end */
	RagDocumentAction action;
} RagDocumentField;

typedef struct RagDocumentForm
{
	const char *title;
	const char *list; /* the field that tells it */
	bool is_ours;	  /* names that look like ours are errors */
	const RagTree *tree;
	const RagDocumentField *fields;
} RagDocumentForm;

/* The form of an object; raises 22023 if it is of none. */
extern const RagDocumentForm *rag_find_document_form(const JsonbValue *document);

/* What becomes of a field; DOC_KEEP if it is not known, and then *is_known is false. */
extern RagDocumentAction rag_find_document_field(const RagDocumentForm *form,
												 const JsonbValue *name, bool *is_known);

/*
 * Raises 22023 if the array is one of whole conversations, and not of messages. path is
 * where it is in the document, as SQL.
 */
extern void rag_check_one_conversation(const JsonbValue *array, const char *path);

#endif /* RAG_DOCUMENT_FORMS_H */
