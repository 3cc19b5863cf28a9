/*
 * exchange/import_forms.h
 *		The forms that chat programs keep their messages in. Each is a small table: what
 *		tells it, which kinds of messages it has, and what becomes of their fields and
 *		parts.
 */
#ifndef RAG_IMPORT_FORMS_H
#define RAG_IMPORT_FORMS_H

#include "base/compat.h"

#include "utils/jsonb.h"

#include "message/message.h"

/* The kinds of messages */
#define CHAT_USER 0x1
#define CHAT_ASSISTANT 0x2
#define CHAT_SYSTEM 0x4
#define CHAT_TOOL 0x8
#define CHAT_ITEM 0x10 /* what an agent did: it belongs to the assistant's next message */
#define CHAT_MESSAGE (CHAT_USER | CHAT_ASSISTANT)
#define CHAT_ANY_KIND (CHAT_MESSAGE | CHAT_SYSTEM | CHAT_TOOL)

typedef enum RagAction
{
	CHAT_DONE,		/* it was read before, or means nothing here */
	CHAT_CONTENT,	/* it is the content: a text, or parts */
	CHAT_TEXT,		/* it is the content where that has no text */
	CHAT_COLUMN,	/* it has a column */
	CHAT_TIME,		/* it is created_at: a time, or seconds or milliseconds since 1970 */
	CHAT_ID,		/* a number is an id of ours, and replaced; others are kept */
	CHAT_METADATA,	/* it is the beginning of the metadata */
	CHAT_KEEP,		/* it goes into the metadata under its name, unless it is empty */
	CHAT_CALL,		/* the same, and then there may be no content */
	CHAT_SPOKEN,	/* the same, and its text is the content where that has none */
	CHAT_USAGE,		/* the same as CHAT_KEEP, and gives the number of tokens */
	CHAT_NESTED,	/* its fields are calls or results, named as types of parts */
	CHAT_KWARGS,	/* the same as CHAT_KEEP, and may have calls, or the id of one */
	CHAT_RECIPIENT, /* it is an item unless this is "all" */
	CHAT_UNKNOWN	/* there is no such field: it is kept whatever it is */
} RagAction;

/*
 * As the name of a field: the columns of a message, except those that have a line of
 * their own in the table.
 */
#define RAG_OUR_COLUMNS ""

typedef struct RagField
{
	const char *name; /* NULL: the end */
	int kinds;
	RagAction action;
	RagColumn col; /* with CHAT_COLUMN */
} RagField;

typedef struct RagKindName
{
	const char *name; /* NULL: the end */
	int kind;
} RagKindName;

typedef enum RagUse
{
	PART_CALL,	 /* of a tool: data has its arguments, if there are any */
	PART_RESULT, /* of a call: data is the result, if it says something */
	PART_TEXT,	 /* data is a text, or has parts */
	PART_SYSTEM	 /* data is a text for the model */
} RagUse;

/*
 * What becomes of a part of this type, if it has the id; or of an object in the part's
 * field of this name. A part may suit several rows.
 */
typedef struct RagPart
{
	const char *type; /* with a hyphen at its end: what begins so; NULL: the end */
	RagUse use;
	const char *id[2];	 /* of the call: fields that may have it; NULL: none is needed */
	const char *name;	 /* of the tool; NULL: the rest of the type */
	const char *data[2]; /* the fields that may have it; NULL: no more */
} RagPart;

/* What is special to a form */
#define FORM_STRICT 0x1	   /* a field that is not known is an error */
#define FORM_CHAT 0x2	   /* of a chat-completions API: rag_get_prompt() gives it back */
#define FORM_VERBATIM 0x4  /* its parts are kept as they are */
#define FORM_ITEMS 0x8	   /* its elements are kept as they are, as "items" */
#define FORM_MISSPELT 0x20 /* what looks like a column of ours is an error */
#define FORM_JOIN 0x10	   /* what an assistant does belongs to what it says next */

typedef struct RagForm
{
	const char *title;
	const char *has[2]; /* the fields that tell it; NULL: no more */
	const char *kind;	/* the field that has its kind */
	const RagKindName *kinds;
	const RagField *fields;
	const RagPart *parts;
	int flags;
} RagForm;

/* The kind with this name; 0 if there is none. name may be NULL. */
extern int rag_kind_of_name(const RagKindName *kinds, const JsonbValue *name);

/*
 * The form of an element, and its kind. Raises 22023 if it is of none of the forms, and
 * for a kind that is unknown there; 23514 for a role. place is the element's, as for
 * rag_element().
 */
extern const RagForm *rag_find_form(int place, const JsonbValue *element);
extern int rag_find_kind(const RagForm *form, int place, const JsonbValue *element,
						 Oid nspoid);

/*
 * What becomes of a field of such a message, which has a content or not. In a form that
 * is not strict, an unknown field is CHAT_UNKNOWN, unless it looks like one of ours that
 * is misspelt.
 *
 * Raises 22023 if there is no such field.
 */
extern RagField rag_find_field(const RagForm *form, bool strict, int place, int kind,
							   bool has_content, const JsonbValue *name,
							   const JsonbValue *value);

/* Raises 22023: such a message has no field with this name. missing may be NULL. */
pg_noreturn extern void rag_error_no_such_field(const RagForm *form, int place, int kind,
												const JsonbValue *name,
												const char *missing);

/* The forms, as an error names them: "A (with "x"), B (with "y" and "z")". */
extern const char *rag_known_forms(void);

#endif /* RAG_IMPORT_FORMS_H */
