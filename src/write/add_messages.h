/*
 * write/add_messages.h
 *		Adding messages to one session, all or none.
 */
#ifndef RAG_ADD_MESSAGES_H
#define RAG_ADD_MESSAGES_H

#include "base/compat.h"

#include "utils/jsonb.h"

#include "message/message.h"
#include "session/session.h"

typedef struct RagAddition
{
	RagSession session;
	bool create_session; /* if it is not there, for its user_id */
	RagMessage *messages;
	int n;
	int optional; /* optional columns that have a value in any message */
} RagAddition;

/* Sets the messages to those of a JSON array; see message/message_json.h. */
extern void rag_read_messages(RagAddition *addition, Jsonb *json);

/* Raises the errors of messages that cannot be stored anywhere. */
extern void rag_check_addition(RagAddition *addition);

/*
 * Locks the session, and stores the messages that it does not have by their keys. Returns
 * how many these are. The caller is connected to SPI.
 */
extern int rag_add(const RagAddition *addition);

#endif /* RAG_ADD_MESSAGES_H */
