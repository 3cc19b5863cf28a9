/*
 * write/edit_messages.h
 *		Changing a message that is there.
 */
#ifndef RAG_EDIT_MESSAGES_H
#define RAG_EDIT_MESSAGES_H

#include "base/compat.h"

#include "message/message.h"

/*
 * Sets those columns of the message with this id and session_id that have a value here
 * (all but role, key and times); metadata is merged. Its session is locked. The caller is
 * connected to SPI. Raises 23503 if there is no such message, 27000 if a trigger or rule
 * discarded the change.
 */
extern void rag_change_message(RagMessage *message, Oid nspoid);

#endif /* RAG_EDIT_MESSAGES_H */
