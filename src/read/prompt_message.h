/*
 * read/prompt_message.h
 *		A message, as a chat-completions API takes it: with the calls of tools and their
 *		results, which are messages of their own there.
 */
#ifndef RAG_PROMPT_MESSAGE_H
#define RAG_PROMPT_MESSAGE_H

#include "base/compat.h"

#include "utils/jsonb.h"

/*
 * Pushes the message onto the array that is being built, and the results of its calls
 * after it. metadata may be NULL.
 */
extern void rag_push_message(RagJsonbState *state, const text *role, const text *content,
							 Jsonb *metadata);

/* Pushes a system message. */
extern void rag_push_system_message(RagJsonbState *state, const JsonbValue *content);

#endif /* RAG_PROMPT_MESSAGE_H */
