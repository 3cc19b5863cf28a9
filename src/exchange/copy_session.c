/*
 * exchange/copy_session.c
 *		Copying a session with its messages: a branch of the conversation.
 *
 *		The ids of the messages are read first, and as many new ones drawn. Then the
 *		metadata can name the new ids when the session is created, and the order of
 *		the copies does not depend on a plan.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/error.h"
#include "base/metadata.h"
#include "base/schema.h"
#include "base/statement.h"
#include "base/uuidv7.h"
#include "cluster/ids.h"
#include "message/message.h"
#include "session/create_session.h"
#include "session/session.h"

/*
 * The lock that a foreign key's check takes: it conflicts with nothing except the
 * deletion of the session.
 */
static const RagStatement lock_sql[] = RAG_ON_SESSION(
	"SELECT user_id::pg_catalog.text, metadata::pg_catalog.jsonb FROM @extschema@.sessions",
	" FOR KEY SHARE");

/* The order is that of read/get_messages.c, for the same reason. */
static const RagStatement read_ids = {
	RAG_OF_SESSION "SELECT pg_catalog.array_agg(m.id) FROM"
				   " (SELECT id::pg_catalog.int8 FROM @extschema@.messages"
				   " WHERE ROW(session_id, id) OPERATOR(pg_catalog.<=) ROW($1, $2)"
				   " AND session_id OPERATOR(pg_catalog.>=) $1" RAG_ON_ITS_MACHINE
				   " ORDER BY session_id, messages.id) AS m",
	2,
	{UUIDOID, INT8OID}};

/*
 * The messages of session $1 with the ids $2. For each id this takes the first
 * message from that id on, which is one look into ix_messages_session_id, and into no
 * other index. The columns take the place of "%s".
 */
#define OLD_MESSAGES \
	" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($4)) AS u (old_id, new_id)," RAG_LOCAL(" LATERAL (SELECT id%s FROM @extschema@.messages" \
																									  " WHERE ROW(session_id, id) OPERATOR(pg_catalog.>=) ROW($1, u.old_id)" \
																									  " AND session_id OPERATOR(pg_catalog.<=) $1" \
																									  " ORDER BY session_id, messages.id LIMIT 1) AS m") \
		RAG_DISTRIBUTED(" @extschema@.messages AS m") " WHERE m.id OPERATOR(pg_catalog.=) u.old_id" RAG_DISTRIBUTED(" AND m.session_id OPERATOR(pg_catalog.=) $1")

/* Into session $3, with the ids $4. */
#define COPY_MESSAGES \
	"INSERT INTO @extschema@.messages (id, session_id%s)" \
	" SELECT u.new_id, $3%s" OLD_MESSAGES

#define COUNT_MESSAGES "SELECT" OLD_MESSAGES

static char *
copied_columns(void)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if ((rag_columns[col].may & RAG_COPIED) != 0)
			appendStringInfo(&list, ", %s", rag_columns[col].name);
	}
	return list.data;
}

/* The statement that copies the messages, or the one that counts them. */
static const RagStatement *
messages_statement(bool copy)
{
	static RagStatement statements[2] = {
		{NULL, 4, {UUIDOID, INT8ARRAYOID, UUIDOID, INT8ARRAYOID}},
		{NULL, 4, {UUIDOID, INT8ARRAYOID, UUIDOID, INT8ARRAYOID}}};
	RagStatement *statement = &statements[copy];

	if (statement->sql == NULL)
	{
		char *columns = copied_columns();
		char *sql = copy ? psprintf(COPY_MESSAGES, columns, columns, columns) :
						   psprintf(COUNT_MESSAGES, "");

		statement->sql = MemoryContextStrdup(TopMemoryContext, sql);
	}
	return statement;
}

typedef struct Copy
{
	Oid nspoid;
	const pg_uuid_t *from;
	pg_uuid_t *to;
	ArrayType *old_ids; /* NULL: there are no messages */
	ArrayType *new_ids;
	int n;
} Copy;

static int64 *
elements(ArrayType *ids)
{
	return (int64 *) ARR_DATA_PTR(ids);
}

static void
renew_ids(Copy *copy, int64 upto_id)
{
	Datum values[] = {UUIDPGetDatum(copy->from), Int64GetDatum(upto_id)};
	RagIds new_ids = rag_begin_ids(copy->nspoid);
	bool isnull;
	Datum ids;

	rag_execute(&read_ids, copy->nspoid, values, NULL);
	ids = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull)
		return;
	copy->old_ids = DatumGetArrayTypePCopy(ids);
	copy->new_ids = DatumGetArrayTypePCopy(ids);
	copy->n = ARR_DIMS(copy->old_ids)[0];
	for (int i = 0; i < copy->n; i++)
		elements(copy->new_ids)[i] = rag_next_id(&new_ids);
}

/*
 * If the summary covers more than is copied, it tells of what the copy does not have,
 * and is left out. Otherwise it reaches up to the copy of the last message that it
 * covers; or not up to any, if all of those were deleted.
 */
static Datum
copy_metadata(const Copy *copy, Datum metadata, int64 upto_id)
{
	int64 summary_upto;
	int64 renewed = 0;

	if (!rag_summary_upto(DatumGetJsonbP(metadata), &summary_upto))
		return metadata;
	if (summary_upto > upto_id)
		return JsonbPGetDatum(rag_remove_summary(DatumGetJsonbP(metadata)));
	for (int i = 0; i < copy->n && elements(copy->old_ids)[i] <= summary_upto; i++)
		renewed = elements(copy->new_ids)[i];
	return JsonbPGetDatum(rag_set_summary_upto(DatumGetJsonbP(metadata), renewed));
}

/*
 * Concurrent DELETEs of single messages are not blocked, and deleted messages are not
 * copied. Anything else that is missing was discarded by a trigger or a rule.
 */
static void
copy_rows(const Copy *copy)
{
	Datum values[] = {UUIDPGetDatum(copy->from), PointerGetDatum(copy->old_ids),
					  UUIDPGetDatum(copy->to), PointerGetDatum(copy->new_ids)};
	uint64 copied = rag_execute(messages_statement(true), copy->nspoid, values, NULL);

	if (copied < (uint64) copy->n &&
		copied < rag_execute(messages_statement(false), copy->nspoid, values, NULL))
		rag_error_discarded(copy->nspoid, "messages");
}

static void
copy_session(Copy *copy, const RagSession *session, int64 upto_id)
{
	Datum source[] = {UUIDPGetDatum(copy->from), PointerGetDatum(session->user_id)};
	Datum values[RAG_SESSION_NCOLUMNS] = {UUIDPGetDatum(copy->to)};
	char nulls[RAG_SESSION_NCOLUMNS] = {' ', ' ', ' ', 'n', 'n'};

	if (rag_execute(&lock_sql[session->user_id != NULL], copy->nspoid, source, NULL) == 0)
		rag_error_no_session(copy->nspoid, copy->from);
	for (int col = SESSION_USER_ID; col <= SESSION_METADATA; col++)
	{
		bool isnull;

		values[col] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, col,
									&isnull);
		nulls[col] = isnull ? 'n' : ' ';
	}
	renew_ids(copy, upto_id);
	if (nulls[SESSION_METADATA] != 'n')
		values[SESSION_METADATA] = copy_metadata(copy, values[SESSION_METADATA], upto_id);
	rag_insert_session(copy->nspoid, values, nulls);
	if (copy->n > 0)
		copy_rows(copy);
}

/*
 * rag_copy_session(session_id uuid, upto_id bigint DEFAULT NULL,
 *					user_id text DEFAULT NULL) returns uuid
 *
 * Creates a session with the same user and metadata and with copies of the messages
 * up to upto_id (NULL: of all), which need not be there, in their order; returns its
 * id. The copies have new ids and no idempotency keys, and otherwise all that the
 * messages have, their times too. A summary_upto_id in the metadata becomes that of
 * the copies; a summary that goes beyond upto_id is left out. With user_id the session
 * must be that user's.
 *
 * Errors: 22004 session_id is NULL; 23503 no such session; 25006 read-only transaction
 * or standby; 27000 a trigger or rule discarded the session or a message. Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_copy_session);
Datum
rag_copy_session(PG_FUNCTION_ARGS)
{
	RagSession session = rag_session_argument(fcinfo, 2, "sessions");
	Copy copy = {.nspoid = session.nspoid,
				 .from = session.id,
				 .to = palloc(sizeof(pg_uuid_t))};
	int64 upto_id = PG_ARGISNULL(1) ? PG_INT64_MAX : PG_GETARG_INT64(1);

	rag_check_may_write("rag_copy_session()");
	rag_uuidv7(copy.to);

	SPI_connect();
	copy_session(&copy, &session, upto_id);
	SPI_finish();

	PG_RETURN_UUID_P(copy.to);
}
