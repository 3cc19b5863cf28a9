/*
 * write/idempotency.c
 *		Finding the messages that were stored before, by their idempotency keys.
 *
 *		A client that did not get the answer to a call repeats it with the same keys.
 *		What was stored by the first call is then found here, and not stored again.
 */
#include "base/compat.h"

#include "catalog/pg_collation_d.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

#include "base/error.h"
#include "base/statement.h"
#include "message/message.h"
#include "write/find_key_direct.h"
#include "write/idempotency.h"

/*
 * One look into the unique index for each key. (With "= ANY (keys)" the planner takes
 * the keys for a filter, and reads the whole session.) The OR is never evaluated: the
 * unique index is partial, and its predicate implies the condition. With any other
 * index it would be a filter, and so expensive a one (to_tsvector() costs 100) that
 * the planner does not choose that index where it expects a single row from either.
 */
static const RagStatement find_keys = {
	RAG_OF_SESSION "SELECT m.* FROM pg_catalog.unnest($2) AS k (key), LATERAL"
				   " (SELECT id::pg_catalog.int8, role::pg_catalog.text, content::pg_catalog.text,"
				   " idempotency_key::pg_catalog.text"
				   " FROM @extschema@.messages WHERE session_id OPERATOR(pg_catalog.=) $1"
				   " AND idempotency_key OPERATOR(pg_catalog.=) k.key"
				   " AND idempotency_key IS NOT NULL"
				   " AND (idempotency_key IS NOT NULL"
				   " OR pg_catalog.to_tsvector('pg_catalog.simple', idempotency_key) IS NULL)"
				   " OFFSET 0) AS m",
	2,
	{UUIDOID, TEXTARRAYOID}};

/* b may be (Datum) 0, the null of a row, which is equal to nothing. */
static bool
text_equal(Datum a, Datum b)
{
	return DatumGetPointer(b) != NULL &&
		DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID, a, b));
}

/* An idempotency key, and the first of the messages that has it. */
typedef struct KeyEntry
{
	char key[RAG_MAX_KEY_BYTES + 1]; /* hash key */
	RagMessage *first;
} KeyEntry;

static HTAB *
create_key_table(int n)
{
	HASHCTL ctl = {.keysize = RAG_MAX_KEY_BYTES + 1,
				   .entrysize = sizeof(KeyEntry),
				   .hcxt = CurrentMemoryContext};

	return hash_create("rag_events idempotency keys", n, &ctl,
					   HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

pg_noreturn static void
error_other_message(const RagMessage *message, const char *detail, const char *hint,
					Oid nspoid)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("%sidempotency_key was used for another message of the session",
					rag_element(message->element)),
			 errdetail_internal("%s", detail),
			 errhint("%s", hint),
			 rag_errtable(nspoid, "messages", "idempotency_key",
						  "uq_messages_idempotency_key")));
}

/* A repeated message must be the same; otherwise its key is used by mistake. */
static void
check_same(const RagMessage *message, Datum role, Datum content, Oid nspoid)
{
	if (!text_equal(message->values[COL_ROLE], role) ||
		!text_equal(message->values[COL_CONTENT], content))
		error_other_message(message,
							"The message with this key has another role or content.",
							"Use a new key for each new message, and the same only to repeat one.",
							nspoid);
}

/*
 * Enters the keys of the messages in the table, each with the first message that has
 * it. Returns the keys as an array.
 */
static ArrayType *
collect_keys(HTAB *keys, RagMessage *messages, int n, Oid nspoid)
{
	Datum *datums = palloc(sizeof(Datum) * n);
	int nkeys = 0;

	for (int i = 0; i < n; i++)
	{
		RagMessage *message = &messages[i];
		Datum key = message->values[COL_IDEMPOTENCY_KEY];
		KeyEntry *entry;
		bool found;

		if (message->isnull[COL_IDEMPOTENCY_KEY])
			continue;
		entry = hash_search(keys, TextDatumGetCString(key), HASH_ENTER, &found);
		if (found)
		{
			check_same(message, entry->first->values[COL_ROLE],
					   entry->first->values[COL_CONTENT], nspoid);
			message->repeats = entry->first;
		}
		else
		{
			entry->first = message;
			datums[nkeys++] = key;
		}
	}
	return construct_array(datums, nkeys, TEXTOID, -1, false, TYPALIGN_INT);
}

void
rag_find_repeated(RagMessage *messages, int n, Oid nspoid)
{
	HTAB *keys = create_key_table(n);
	Datum values[] = {messages[0].values[COL_SESSION_ID],
					  PointerGetDatum(collect_keys(keys, messages, n, nspoid))};
	uint64 nfound = rag_execute(&find_keys, nspoid, values, NULL);

	for (uint64 i = 0; i < nfound; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		bool isnull;
		Datum key = SPI_getbinval(row, desc, 4, &isnull);
		KeyEntry *entry = hash_search(keys, TextDatumGetCString(key), HASH_FIND, NULL);

		if (entry == NULL)
			continue; /* equal to a key in the column's collation only */
		check_same(entry->first, SPI_getbinval(row, desc, 2, &isnull),
				   SPI_getbinval(row, desc, 3, &isnull), nspoid);
		entry->first->values[COL_ID] = SPI_getbinval(row, desc, 1, &isnull);
		entry->first->isnull[COL_ID] = false;
	}
	hash_destroy(keys);
}

/* The same as rag_find_key_directly(), by a statement. */
static void
find_key_by_statement(const RagMessage *message, Oid nspoid, RagKeyMatch *match)
{
	Datum key = message->values[COL_IDEMPOTENCY_KEY];
	Datum values[] = {message->values[COL_SESSION_ID],
					  PointerGetDatum(construct_array(&key, 1, TEXTOID, -1, false,
													  TYPALIGN_INT))};
	uint64 nfound = rag_execute(&find_keys, nspoid, values, NULL);

	memset(match, 0, sizeof(RagKeyMatch));
	for (uint64 i = 0; i < nfound && !match->found; i++)
	{
		HeapTuple row = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		Datum role;
		bool isnull;

		if (!text_equal(key, SPI_getbinval(row, desc, 4, &isnull)))
			continue; /* equal in the column's collation only */
		match->found = true;
		match->id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
		role = SPI_getbinval(row, desc, 2, &isnull);
		match->role = isnull ? NULL : DatumGetTextPP(role);
	}
}

bool
rag_find_by_key(RagMessage *message, Oid nspoid)
{
	RagKeyMatch match;

	if (!rag_find_key_directly(message, nspoid, &match))
		find_key_by_statement(message, nspoid, &match);
	if (!match.found)
		return false;
	if (!text_equal(message->values[COL_ROLE], PointerGetDatum(match.role)))
		error_other_message(message, "The message with this key has another role.",
							"Use a new key for each new message.", nspoid);
	message->values[COL_ID] = Int64GetDatum(match.id);
	message->isnull[COL_ID] = false;
	return true;
}
