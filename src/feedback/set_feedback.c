/*
 * feedback/set_feedback.c
 *		rag_set_feedback() and rag_get_feedback().
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "base/error.h"
#include "base/schema.h"
#include "base/statement.h"
#include "feedback/feedback.h"
#include "session/find_session.h"
#include "session/session.h"

/* The parameters are the first columns, in their order. */
#define KEY_ARGS UUIDOID, INT8OID, INT4OID, TEXTOID, TEXTOID

/* The time of the first judgment stays. */
static const RagStatement store_sql = {
	RAG_OF_SESSION "INSERT INTO @extschema@.rag_feedback AS f"
				   " (session_id, message_id, source_no, name, rater, score, label, comment, metadata)"
				   " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM @extschema@.messages AS m"
				   " WHERE m.id OPERATOR(pg_catalog.=) $2 AND m.session_id OPERATOR(pg_catalog.=) $1"
				   " ON CONFLICT (session_id, message_id, source_no, name, rater) DO UPDATE"
				   " SET score = EXCLUDED.score, label = EXCLUDED.label, comment = EXCLUDED.comment,"
				   " metadata = EXCLUDED.metadata, updated_at = " RAG_LOCAL("CURRENT_TIMESTAMP")
					   RAG_DISTRIBUTED("EXCLUDED.updated_at"),
	FEEDBACK_NVALUES,
	{KEY_ARGS, FLOAT8OID, TEXTOID, TEXTOID, JSONBOID}};

#define SAME_OR_NULL(column, param) \
	" AND (f." column " OPERATOR(pg_catalog.=) " param " OR f." column \
	" IS NULL AND " param " IS NULL)"

static const RagStatement retract_sql = {
	RAG_OF_SESSION "DELETE FROM @extschema@.rag_feedback AS f"
				   " WHERE f.session_id OPERATOR(pg_catalog.=) $1"
				   " AND f.message_id OPERATOR(pg_catalog.=) $2"
				   " AND f.name OPERATOR(pg_catalog.=) $4" SAME_OR_NULL("source_no", "$3")
					   SAME_OR_NULL("rater", "$5"),
	FEEDBACK_NKEYS,
	{KEY_ARGS}};

static const RagStatement look_sql = {
	RAG_OF_SESSION "SELECT FROM @extschema@.messages WHERE id OPERATOR(pg_catalog.=) $2"
				   " AND session_id OPERATOR(pg_catalog.=) $1",
	2,
	{UUIDOID, INT8OID}};

static const RagStatement sources_sql = {
	RAG_OF_SESSION "SELECT sources::pg_catalog.jsonb FROM @extschema@.messages"
				   " WHERE id OPERATOR(pg_catalog.=) $2 AND session_id OPERATOR(pg_catalog.=) $1",
	2,
	{UUIDOID, INT8OID}};

/* ------------------------------------------------------------------------
 *		rag_set_feedback()
 * ------------------------------------------------------------------------
 */

static RagFeedback
feedback_from_arguments(FunctionCallInfo fcinfo)
{
	/* which argument, counted from 0, is the value of a column */
	static const int arguments[] = {
		[FEEDBACK_SESSION_ID] = 0,
		[FEEDBACK_MESSAGE_ID] = 1,
		[FEEDBACK_SOURCE_NO] = 6,
		[FEEDBACK_NAME] = 5,
		[FEEDBACK_RATER] = 7,
		[FEEDBACK_SCORE] = 2,
		[FEEDBACK_LABEL] = 3,
		[FEEDBACK_COMMENT] = 4,
		[FEEDBACK_METADATA] = 8,
	};
	RagFeedback feedback;

	memset(&feedback, 0, sizeof(feedback));
	memset(feedback.nulls, 'n', sizeof(feedback.nulls));
	for (int col = 0; col < FEEDBACK_NVALUES; col++)
	{
		feedback.values[col] = PG_GETARG_DATUM(arguments[col]);
		feedback.nulls[col] = PG_ARGISNULL(arguments[col]) ? 'n' : ' ';
	}
	return feedback;
}

static void
require_message(const RagFeedback *feedback, Oid nspoid)
{
	if (rag_execute(&look_sql, nspoid, feedback->values, NULL) == 0)
		rag_error_no_message(nspoid,
							 DatumGetInt64(feedback->values[FEEDBACK_MESSAGE_ID]));
}

static void
require_source(const RagFeedback *feedback, Oid nspoid)
{
	int32 source_no = DatumGetInt32(feedback->values[FEEDBACK_SOURCE_NO]);
	Datum sources;
	bool isnull;
	int count;

	if (rag_execute(&sources_sql, nspoid, feedback->values, NULL) == 0)
		rag_error_no_message(nspoid,
							 DatumGetInt64(feedback->values[FEEDBACK_MESSAGE_ID]));
	sources = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	count = rag_count_sources(sources, isnull);
	if (source_no > count)
		rag_error_no_source(source_no, count, nspoid);
}

static void
store(const RagFeedback *feedback, Oid nspoid)
{
	if (feedback->nulls[FEEDBACK_SOURCE_NO] != 'n')
		require_source(feedback, nspoid);
	if (rag_execute(&store_sql, nspoid, feedback->values, feedback->nulls) > 0)
		return;
	require_message(feedback, nspoid);
	rag_error_discarded(nspoid, "rag_feedback");
}

static void
retract(const RagFeedback *feedback, Oid nspoid)
{
	if (rag_execute(&retract_sql, nspoid, feedback->values, feedback->nulls) == 0)
		require_message(feedback, nspoid);
}

/*
 * rag_set_feedback(session_id uuid, message_id bigint,
 *					score double precision DEFAULT NULL, label text DEFAULT NULL,
 *					comment text DEFAULT NULL, name text DEFAULT 'user',
 *					source_no integer DEFAULT NULL, rater text DEFAULT NULL,
 *					metadata jsonb DEFAULT NULL, user_id text DEFAULT NULL)
 *		returns void
 *
 * Judges a message or, with source_no (from 1), one of its sources. There is one judgment
 * for each name and rater (NULL: the user of the session), which is replaced; without
 * score, label, comment and metadata it is taken back. The session's updated_at stays.
 * With user_id the session must be that user's.
 *
 * The session is locked, as by whoever deletes one of its messages.
 *
 * Errors: 22004 session_id, message_id or name is NULL; 22001 name or rater too long;
 * 22003 score is not finite, or source_no is less than 1; 22023 name is empty, or
 * metadata is no object; 23503 no such session, message or source; 25006 read-only
 * transaction or standby; 27000 a trigger or rule discarded the row. Since 1.4.
 */
PG_FUNCTION_INFO_V1(rag_set_feedback);
Datum
rag_set_feedback(PG_FUNCTION_ARGS)
{
	RagSession session = rag_session_argument(fcinfo, 9, "rag_feedback");
	RagFeedback feedback = feedback_from_arguments(fcinfo);

	if (PG_ARGISNULL(1))
		rag_error_null(session.nspoid, "rag_feedback", "message_id", 0);
	rag_check_feedback(&feedback, session.nspoid);
	rag_check_may_write("rag_set_feedback()");

	SPI_connect();
	rag_lock_existing_session(&session);
	if (rag_is_judgment(&feedback))
		store(&feedback, session.nspoid);
	else
		retract(&feedback, session.nspoid);
	SPI_finish();
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 *		rag_get_feedback()
 * ------------------------------------------------------------------------
 */

/* In the order of the index. */
static const RagStatement get_sql = {
	RAG_OF_SESSION "SELECT message_id, source_no, name, rater, score, label, comment, metadata, created_at, updated_at"
				   " FROM @extschema@.rag_feedback"
				   " WHERE session_id OPERATOR(pg_catalog.=) $1"
				   " AND ($2 IS NULL OR rater OPERATOR(pg_catalog.=) $2)"
				   " ORDER BY session_id, message_id, source_no NULLS FIRST, name, rater NULLS FIRST",
	2,
	{UUIDOID, TEXTOID}};

/*
 * rag_get_feedback(session_id uuid, user_id text DEFAULT NULL, rater text DEFAULT NULL)
 *		returns table (message_id bigint, source_no integer, name text, rater text,
 *					   score double precision, label text, comment text,
 *					   metadata jsonb, created_at timestamp, updated_at timestamp)
 *
 * Returns the feedback on the messages of a session, in their order; on a message first
 * and then on its sources. With rater only that rater's. With user_id the session must be
 * that user's.
 *
 * Errors: 22004 session_id is NULL; 23503 no such session. Since 1.4.
 */
PG_FUNCTION_INFO_V1(rag_get_feedback);
Datum
rag_get_feedback(PG_FUNCTION_ARGS)
{
	RagSession session = rag_session_argument(fcinfo, 1, "rag_feedback");
	Datum values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(2)};
	char nulls[] = {' ', PG_ARGISNULL(2) ? 'n' : ' '};

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	rag_require_session(&session);
	rag_return_rows(fcinfo, &get_sql, session.nspoid, values, nulls);
	SPI_finish();
	return (Datum) 0;
}
