/*
 * exchange/import_messages.h
 *		The messages of a conversation in the forms that chat programs keep them in.
 *
 *		Instructions to the model, results of tools and what an agent did are elements of
 *		their own there, and no messages here. The forms are in import_forms.c.
 */
#ifndef RAG_IMPORT_MESSAGES_H
#define RAG_IMPORT_MESSAGES_H

#include "base/compat.h"

#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "message/message.h"

typedef struct RagChat
{
	RagMessage *messages; /* checked, in order, with the ids they had */
	int n;
	int n_upto;					 /* number of messages up to the one with upto_id */
	text *system_prompt;		 /* the instructions, or NULL */
	JsonbValue *system_messages; /* what they came in, if more than one plain message */
} RagChat;

/* What the document says of its messages. */
typedef struct RagSource
{
	const pg_uuid_t *session_id; /* of the session that they are for */
	int64 upto_id;				 /* an id that they had where they come from */
	bool strict;				 /* the document is ours: so are its messages */
	const JsonbValue *system;	 /* instructions beside the messages, or NULL */
	Oid nspoid;
} RagSource;

/*
 * Reads an array of messages. What has no column goes into a message's metadata; the
 * result of a tool into that of the assistant's message with the call.
 *
 * Errors, each with the place: 22023 what is not of these forms, or a tool's result
 * that no assistant's message comes before; and those of rag_check_message().
 */
extern void rag_chat_from_json(RagChat *chat, JsonbContainer *array,
							   const RagSource *source);

#endif /* RAG_IMPORT_MESSAGES_H */
