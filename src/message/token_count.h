/*
 * message/token_count.h
 *		How many tokens a message is taken for, where nobody has counted them.
 */
#ifndef RAG_TOKEN_COUNT_H
#define RAG_TOKEN_COUNT_H

#include "base/compat.h"

#include "utils/jsonb.h"

/*
 * Tokens of a content of so many bytes, and of what the metadata, which may be NULL, has
 * beside it: calls of tools, their results, and parts that are no text.
 */
extern int64 rag_estimate_tokens(Size content_bytes, Jsonb *metadata);

/* The same, for the results and parts alone, which no model counts as its output. */
extern int64 rag_estimate_input(Jsonb *metadata);

/* Tokens of a text of so many bytes. */
extern int64 rag_tokens_of_bytes(Size bytes);

#endif /* RAG_TOKEN_COUNT_H */
