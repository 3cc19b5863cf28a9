/*
 * exchange/import_messages.h
 *		The messages of a conversation in the forms that chat programs keep them in.
 *
 *		An element of the array has a role: then it is a message as we export it, or one
 *		of OpenAI's chat messages. Or it has a type: then it is one of LangChain's stored
 *		messages, {"type", "data"} or both levels in one. Instructions to the model and
 *		results of tools are elements of their own there, and no messages here.
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

/*
 * Reads an array of messages, for a session. upto_id is an id that they had where they
 * come from. What has no column goes into a message's metadata; the result of a tool
 * into that of the assistant's message with the call.
 *
 * Errors, each with the place: 22023 what is not of these forms, or a tool's result
 * that no assistant's message comes before; and those of rag_check_message().
 */
extern void rag_chat_from_json(RagChat *chat, JsonbContainer *array,
							   const pg_uuid_t *session_id, int64 upto_id, Oid nspoid);

#endif /* RAG_IMPORT_MESSAGES_H */
