/*
 * message/newest_messages.c
 *		Reading the messages of a session from the newest on: by a scan, or by a SELECT
 *		where only that can do it.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "utils/memutils.h"

#include "message/newest_messages.h"

/*
 * The order is that of read/get_messages.c, for the same reason. The columns and the
 * operator take the places of "%s".
 */
#define NEWEST_FIRST \
	RAG_OF_SESSION "SELECT %s FROM @extschema@.messages" \
				   " WHERE ROW(session_id, id) OPERATOR(pg_catalog.%s) ROW($1, $2)" \
				   " AND session_id OPERATOR(pg_catalog.<=) $1" RAG_ON_ITS_MACHINE \
				   " ORDER BY session_id DESC, messages.id DESC LIMIT $3"

/* The owner may have given a column another type. */
static const char *
typed_column_sql(RagColumn col)
{
	switch (col)
	{
		case COL_TOKEN_COUNT:
			return "token_count::pg_catalog.int4";
		case COL_METADATA:
			return "metadata::pg_catalog.jsonb";
		default:
			return rag_column_sql(col);
	}
}

static const RagStatement *
newest_statement(RagNewest *newest, bool inclusive)
{
	RagStatement *statement = &newest->statements[inclusive];
	StringInfoData columns;

	if (statement->sql != NULL)
		return statement;
	initStringInfo(&columns);
	for (int i = 0; i < newest->n; i++)
		appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "",
						 typed_column_sql(newest->columns[i]));
	statement->nargs = 3;
	statement->argtypes[0] = UUIDOID;
	statement->argtypes[1] = INT8OID;
	statement->argtypes[2] = INT4OID;
	statement->sql =
		MemoryContextStrdup(TopMemoryContext,
							psprintf(NEWEST_FIRST, columns.data, inclusive ? ">=" : ">"));
	return statement;
}

typedef struct Reader
{
	const RagNewest *newest;
	RagReceiveMessage receive;
	void *arg;
} Reader;

static bool
receive_row(TupleTableSlot *slot, void *arg)
{
	const Reader *reader = arg;

	return reader->receive(slot->tts_values, slot->tts_isnull, reader->arg);
}

static bool
receive_message(const Datum *message, const bool *message_isnull, void *arg)
{
	const Reader *reader = arg;
	Datum values[RAG_NEWEST_COLUMNS];
	bool isnull[RAG_NEWEST_COLUMNS];

	for (int i = 0; i < reader->newest->n; i++)
	{
		values[i] = message[reader->newest->columns[i]];
		isnull[i] = message_isnull[reader->newest->columns[i]];
	}
	return reader->receive(values, isnull, reader->arg);
}

/* (A scan ends by what receive returns: max is left to that.) */
void
rag_read_newest(Oid nspoid, const RagScan *scan, int max, RagNewest *newest,
				RagReceiveMessage receive, void *arg)
{
	Reader reader = {.newest = newest, .receive = receive, .arg = arg};
	Datum values[] = {UUIDPGetDatum(scan->session_id), Int64GetDatum(scan->id),
					  Int32GetDatum(max)};

	if (!rag_scan_messages_directly(nspoid, scan, receive_message, &reader))
		rag_query_each(newest_statement(newest, scan->inclusive), nspoid, values, NULL,
					   receive_row, &reader);
}
