/*
 * read/prompt_content.h
 *		The content of a message, as a chat-completions API takes it.
 */
#ifndef RAG_PROMPT_CONTENT_H
#define RAG_PROMPT_CONTENT_H

#include "base/compat.h"

#include "utils/jsonb.h"

/*
 * Pushes the field "content": the text, or the array of parts that it came in, which is
 * "content_parts" of owner, an object or NULL. Parts with a type other than "text" are
 * left out where allowed says so: a list of types that ends with NULL; NULL: all may be.
 */
extern void rag_push_content(RagJsonbState *state, const char *str, int len,
							 const JsonbValue *owner, const char *const *allowed);

/* Has the owner parts that may be shown? */
extern bool rag_has_content_parts(const JsonbValue *owner, const char *const *allowed);

#endif /* RAG_PROMPT_CONTENT_H */
