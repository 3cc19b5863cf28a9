/*
 * message/role.h
 *		The rules for a message's role, all in one place.
 */
#ifndef RAG_ROLE_H
#define RAG_ROLE_H

#include "base/compat.h"

/*
 * Returns normally if the role is exactly 'user' or 'assistant'. Otherwise raises
 * 23514 with the fields of messages' constraint ck_messages_role, and with a hint if
 * the role is nearly right. nspoid is the schema of the messages table; element is as
 * for rag_element().
 */
extern void rag_check_role(const text *role, Oid nspoid, int element);

#endif /* RAG_ROLE_H */
