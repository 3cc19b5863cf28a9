/*
 * base/json_keys.h
 *		A table from strings of a JSON document, such as the ids of the calls of tools,
 *		to numbers.
 */
#ifndef RAG_JSON_KEYS_H
#define RAG_JSON_KEYS_H

#include "base/compat.h"

#include "utils/hsearch.h"
#include "utils/jsonb.h"

/* A new table. The strings stay where they are: it points to them. */
extern HTAB *rag_create_json_keys(void);

/* Notes the number of a string. An earlier one is replaced. */
extern void rag_enter_json_key(HTAB *table, const JsonbValue *string, int number);

/* Where the number of the string is, or NULL if it has none. */
extern int *rag_find_json_key(HTAB *table, const JsonbValue *string);

#endif /* RAG_JSON_KEYS_H */
