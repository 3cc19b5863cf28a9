/*
 * exchange/import_fields.h
 *		Which fields a message has in the forms of import_messages.h, and what becomes
 *		of them.
 */
#ifndef RAG_IMPORT_FIELDS_H
#define RAG_IMPORT_FIELDS_H

#include "base/compat.h"

#include "utils/jsonb.h"

#include "message/message.h"

/* The forms, by what tells the kind of a message. */
#define CHAT_BY_ROLE 0x1
#define CHAT_BY_TYPE 0x2
#define CHAT_ANY_FORM (CHAT_BY_ROLE | CHAT_BY_TYPE)

/* The kinds */
#define CHAT_USER 0x1
#define CHAT_ASSISTANT 0x2
#define CHAT_SYSTEM 0x4
#define CHAT_TOOL 0x8
#define CHAT_MESSAGE (CHAT_USER | CHAT_ASSISTANT)
#define CHAT_ANY_KIND (CHAT_MESSAGE | CHAT_SYSTEM | CHAT_TOOL)

typedef enum RagAction
{
	CHAT_DONE,	   /* it was read before, or means nothing here */
	CHAT_CONTENT,  /* it is the content */
	CHAT_COLUMN,   /* it has a column */
	CHAT_ID,	   /* a number is an id of ours, and replaced; others are kept */
	CHAT_METADATA, /* it is the beginning of the metadata */
	CHAT_KEEP,	   /* it goes into the metadata under its name, unless it is empty */
	CHAT_CALL,	   /* the same, and then there may be no content */
	CHAT_USAGE	   /* the same, and gives the number of tokens */
} RagAction;

typedef struct RagField
{
	const char *name;
	int forms;
	int kinds;
	RagAction action;
	RagColumn col; /* with CHAT_COLUMN */
} RagField;

/*
 * The kind of a message by its role, or by its type. Raises 23514 for another role,
 * 22023 for another type; place is the message's, as for rag_element().
 */
extern int rag_kind_of_role(int place, const JsonbValue *role, Oid nspoid);
extern int rag_kind_of_type(int place, const JsonbValue *type);

/* Raises 22023 if a message of this form and kind has no such field. */
extern RagField rag_find_field(int place, int form, int kind,
							   const JsonbValue *name);

/* The forms, as an error names them. */
#define RAG_KNOWN_FORMS \
	"what rag_export_session() returns, OpenAI's chat messages (with \"role\"), " \
	"LangChain's stored messages (with \"type\")"

#endif /* RAG_IMPORT_FIELDS_H */
