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

/*
 * The same for SQL, as patterns of LIKE, text[]: a text has all terms if it fits all
 * small ones with its letters of ASCII small, and all others in upper case. Returns
 * whether the latter is by ICU's collation "und-x-icu", and not by the database's.
 */
extern bool rag_terms_as_patterns(const RagTerms *terms, Datum *small, Datum *upper);

#endif /* RAG_SEARCH_TERMS_H */
