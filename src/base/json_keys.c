/*
 * base/json_keys.c
 *		A table from strings of a JSON document to numbers.
 */
#include "base/compat.h"

#include "common/hashfn.h"

#include "base/json_keys.h"

typedef struct Key
{
	const char *str;
	int len;
} Key;

typedef struct Entry
{
	Key key; /* must be first */
	int number;
} Entry;

static uint32
hash_string(const void *key, Size keysize pg_attribute_unused())
{
	const Key *string = key;

	return hash_bytes((const unsigned char *) string->str, string->len);
}

static int
match_strings(const void *a, const void *b, Size keysize pg_attribute_unused())
{
	const Key *x = a;
	const Key *y = b;

	return x->len != y->len || memcmp(x->str, y->str, x->len) != 0;
}

HTAB *
rag_create_json_keys(void)
{
	HASHCTL ctl = {.keysize = sizeof(Key),
				   .entrysize = sizeof(Entry),
				   .hash = hash_string,
				   .match = match_strings,
				   .hcxt = CurrentMemoryContext};

	return hash_create("rag_events keys", 64, &ctl,
					   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

static Entry *
search(HTAB *table, const JsonbValue *string, HASHACTION action)
{
	Key key = {.str = string->val.string.val, .len = string->val.string.len};

	return hash_search(table, &key, action, NULL);
}

void
rag_enter_json_key(HTAB *table, const JsonbValue *string, int number)
{
	search(table, string, HASH_ENTER)->number = number;
}

int *
rag_find_json_key(HTAB *table, const JsonbValue *string)
{
	Entry *entry = search(table, string, HASH_FIND);

	return entry ? &entry->number : NULL;
}
