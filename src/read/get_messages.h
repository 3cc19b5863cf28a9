/*
 * read/get_messages.h
 *		What the functions that read conversations share.
 */
#ifndef RAG_GET_MESSAGES_H
#define RAG_GET_MESSAGES_H

#include "base/compat.h"

#include "session/session.h"

/*
 * Begins a function that reads a session: checks that session_id, its first
 * argument, is not NULL (22004) and that the session is there and, unless NULL, the
 * user's (23503). Sets the function up to return rows in rsinfo->setResult, and
 * connects to SPI. Returns the session.
 */
extern RagSession rag_begin_reading(FunctionCallInfo fcinfo, int user_id_arg);

#endif /* RAG_GET_MESSAGES_H */
