/*
 * read/search_terms.h
 *		What is searched for: words and phrases, each of which a text must have.
 */
#ifndef RAG_SEARCH_TERMS_H
#define RAG_SEARCH_TERMS_H

#include "base/compat.h"

typedef struct RagTerms RagTerms;

/*
 * The words of a query, which white space separates, and its "phrases". Raises 22023
 * if there are none.
 */
extern RagTerms *rag_parse_query(const text *query);

/*
 * Does the text have all of them, in any case? Then, unless snippet is NULL, *snippet is
 * a part of the text around the first.
 */
extern bool rag_has_all_terms(const RagTerms *terms, const text *haystack,
							  text **snippet);

#endif /* RAG_SEARCH_TERMS_H */
