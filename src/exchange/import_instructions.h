/*
 * exchange/import_instructions.h
 *		The instructions to the model among the messages of a conversation. They are the
 *		session's: together they become its system prompt.
 */
#ifndef RAG_IMPORT_INSTRUCTIONS_H
#define RAG_IMPORT_INSTRUCTIONS_H

#include "base/compat.h"

#include "utils/jsonb.h"

#include "exchange/import_element.h"

/* Starts as zeros. */
typedef struct RagInstructions
{
	int n; /* how many messages they came in */
	StringInfoData prompt;
	RagJsonbState messages; /* an array of what they came in */
	bool is_plain;			/* it is one message, with nothing but a text */
} RagInstructions;

/* Adds a text. role is what the message with it was; or NULL: a system message. */
extern void rag_add_instructions(RagInstructions *given, const text *content,
								 const JsonbValue *role);

/*
 * Adds a system message. Raises 22004 where it has no content, 22023 where that is more
 * than texts.
 */
extern void rag_add_system_message(RagInstructions *given, const RagElement *element,
								   Oid nspoid);

/*
 * The system prompt, or NULL if there is none. *messages is what it came in, if that is
 * more than one plain message, or else NULL.
 */
extern text *rag_finish_instructions(RagInstructions *given, JsonbValue **messages);

#endif /* RAG_IMPORT_INSTRUCTIONS_H */
