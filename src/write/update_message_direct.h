/*
 * write/update_message_direct.h
 *		Changing a message without an UPDATE, where that makes no difference.
 */
#ifndef RAG_UPDATE_MESSAGE_DIRECT_H
#define RAG_UPDATE_MESSAGE_DIRECT_H

#include "base/compat.h"

#include "message/message.h"

/*
 * Sets the columns of the message with this id and session_id, whose session is locked,
 * and returns true. Returns false, with nothing done, if only an UPDATE can do it: the
 * table is not plain for the caller, an index has one of these columns, somebody else has
 * just changed the message, or there is no such message.
 */
extern bool rag_update_message_directly(const RagMessage *message,
										const RagColumn *columns, int n, Oid nspoid);

#endif /* RAG_UPDATE_MESSAGE_DIRECT_H */
