/*
 * feedback/feedback.c
 *		What feedback is: its columns, the rules that each value must keep, and how it
 *		is deleted.
 */
#include "base/compat.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type_d.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"

#include "base/as_owner.h"
#include "base/error.h"
#include "base/metadata.h"
#include "base/schema.h"
#include "base/statement.h"
#include "feedback/feedback.h"
#include "session/create_session.h"

const RagFeedbackColumn rag_feedback_columns[RAG_FEEDBACK_NCOLUMNS] = {
	[FEEDBACK_SESSION_ID] = {"session_id", UUIDOID},
	[FEEDBACK_MESSAGE_ID] = {"message_id", INT8OID},
	[FEEDBACK_SOURCE_NO] = {"source_no", INT4OID},
	[FEEDBACK_NAME] = {"name", TEXTOID},
	[FEEDBACK_RATER] = {"rater", TEXTOID},
	[FEEDBACK_SCORE] = {"score", FLOAT8OID},
	[FEEDBACK_LABEL] = {"label", TEXTOID},
	[FEEDBACK_COMMENT] = {"comment", TEXTOID},
	[FEEDBACK_METADATA] = {"metadata", JSONBOID},
	[FEEDBACK_CREATED_AT] = {"created_at", TIMESTAMPOID},
	[FEEDBACK_UPDATED_AT] = {"updated_at", TIMESTAMPOID},
};

Oid
rag_feedback_table(Oid nspoid)
{
	return rag_optional_table("rag_feedback", nspoid);
}

bool
rag_has_feedback(Datum session_id, Oid nspoid)
{
	static const RagStatement look_sql = {
		RAG_OF_SESSION "SELECT FROM @extschema@.rag_feedback WHERE session_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
		1,
		{UUIDOID}};
	Oid table = rag_feedback_table(nspoid);

	return OidIsValid(table) &&
		rag_query_as_owner(table, &look_sql, nspoid, &session_id, NULL) > 0;
}

/* ------------------------------------------------------------------------
 *		Values
 * ------------------------------------------------------------------------
 */

static void
check_text(const RagFeedback *feedback, int col, int max_bytes, Oid nspoid)
{
	const char *name = rag_feedback_columns[col].name;

	if (feedback->nulls[col] == 'n' ||
		VARSIZE_ANY_EXHDR(DatumGetTextPP(feedback->values[col])) <= (Size) max_bytes)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
			 errmsg("%s is too long", name),
			 errdetail("It has at most %d bytes.", max_bytes),
			 rag_errtable(nspoid, "rag_feedback", name, NULL)));
}

static void
check_name(const RagFeedback *feedback, Oid nspoid)
{
	if (feedback->nulls[FEEDBACK_NAME] == 'n')
		rag_error_null(nspoid, "rag_feedback", "name", 0);
	check_text(feedback, FEEDBACK_NAME, RAG_MAX_FEEDBACK_NAME_BYTES, nspoid);
	if (VARSIZE_ANY_EXHDR(DatumGetTextPP(feedback->values[FEEDBACK_NAME])) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("name is empty"),
				 errhint("It says what is judged, such as \"user\", \"relevance\" or \"faithfulness\"."),
				 rag_errtable(nspoid, "rag_feedback", "name", NULL)));
}

static void
check_score(const RagFeedback *feedback, Oid nspoid)
{
	double score = DatumGetFloat8(feedback->values[FEEDBACK_SCORE]);

	if (feedback->nulls[FEEDBACK_SCORE] == 'n' || isfinite(score))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("score is out of range: %g", score),
			 errdetail("A score is a finite number."),
			 rag_errtable(nspoid, "rag_feedback", "score", NULL)));
}

static void
check_source_no(const RagFeedback *feedback, Oid nspoid)
{
	int32 source_no = DatumGetInt32(feedback->values[FEEDBACK_SOURCE_NO]);

	if (feedback->nulls[FEEDBACK_SOURCE_NO] == 'n' || source_no >= 1)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("source_no is out of range: %d", source_no),
			 errdetail("The first of a message's sources is 1."),
			 rag_errtable(nspoid, "rag_feedback", "source_no", NULL)));
}

void
rag_check_feedback(const RagFeedback *feedback, Oid nspoid)
{
	check_name(feedback, nspoid);
	check_text(feedback, FEEDBACK_RATER, RAG_MAX_USER_ID_BYTES, nspoid);
	check_score(feedback, nspoid);
	check_source_no(feedback, nspoid);
	if (feedback->nulls[FEEDBACK_METADATA] != 'n')
		rag_check_metadata(DatumGetJsonbP(feedback->values[FEEDBACK_METADATA]), nspoid,
						   "rag_feedback", 0);
}

bool
rag_is_judgment(const RagFeedback *feedback)
{
	for (int col = FEEDBACK_NKEYS; col < FEEDBACK_NVALUES; col++)
	{
		if (feedback->nulls[col] != 'n')
			return true;
	}
	return false;
}

/* As jsonb_path_query() counts in the view rag_message_sources. */
int
rag_count_sources(Datum sources, bool isnull)
{
	Jsonb *json = isnull ? NULL : DatumGetJsonbP(sources);

	if (json == NULL || rag_jsonb_is_null(json))
		return 0;
	if (JB_ROOT_IS_ARRAY(json) && !JB_ROOT_IS_SCALAR(json))
		return (int) JB_ROOT_COUNT(json);
	return 1;
}

void
rag_error_no_source(int32 source_no, int count, Oid nspoid)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("the message has no source %d", source_no),
			 errdetail_plural("It has %d source.", "It has %d sources.", count, count),
			 rag_errtable(nspoid, "rag_feedback", "source_no", NULL)));
}

/* ------------------------------------------------------------------------
 *		Deleting
 * ------------------------------------------------------------------------
 */

/* Feedback of session $1 on messages from $2 on that are gone. */
#define OF_MISSING_MESSAGES \
	" FROM @extschema@.rag_feedback AS f WHERE f.session_id OPERATOR(pg_catalog.=) $1" \
	" AND f.message_id OPERATOR(pg_catalog.>=) $2" \
	" AND NOT EXISTS (SELECT FROM @extschema@.messages AS m" \
	" WHERE m.session_id OPERATOR(pg_catalog.=) $1" \
	" AND m.id OPERATOR(pg_catalog.=) f.message_id)"

/*
 * Is there still some? Looks with the newest snapshot: a transaction may have another
 * that is older than feedback which was given before the session was locked.
 */
static bool
has_feedback_from(Oid table, const Datum *values, Oid nspoid)
{
	static const RagStatement look_sql = {
		RAG_OF_SESSION "SELECT" OF_MISSING_MESSAGES " LIMIT 1",
		2,
		{UUIDOID, INT8OID}};
	bool found;

	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	found = rag_query_as_owner(table, &look_sql, nspoid, values, NULL) > 0;
	PopActiveSnapshot();
	return found;
}

void
rag_delete_feedback_from(const RagSession *session, int64 from_id)
{
	static const RagStatement delete_sql = {RAG_OF_SESSION "DELETE" OF_MISSING_MESSAGES,
											2,
											{UUIDOID, INT8OID}};
	Datum values[] = {UUIDPGetDatum(session->id), Int64GetDatum(from_id)};
	Oid table = rag_feedback_table(session->nspoid);

	if (!OidIsValid(table))
		return;
	rag_execute_as_owner(table, &delete_sql, session->nspoid, values, NULL);
	if (IsolationUsesXactSnapshot() && has_feedback_from(table, values, session->nspoid))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access, as feedback was given meanwhile"),
				 errhint("The transaction might succeed if retried.")));
}

void
rag_delete_feedback_of(Oid table, Datum session_ids, Oid nspoid)
{
	static const RagStatement delete_sql = {
		"DELETE FROM @extschema@.rag_feedback WHERE session_id OPERATOR(pg_catalog.=) ANY ($1)",
		1,
		{UUIDARRAYOID}};

	rag_execute_as_owner(table, &delete_sql, nspoid, &session_ids, NULL);
}

/* What is in a session that the caller does not see stays, as it may have to be kept. */
#define OF_RATER \
	" FROM @extschema@.rag_feedback AS f WHERE f.rater OPERATOR(pg_catalog.=) $1" \
	" AND EXISTS (SELECT FROM @extschema@.sessions AS s" \
	" WHERE s.id OPERATOR(pg_catalog.=) f.session_id" \
	" AND (s.metadata::pg_catalog.jsonb OPERATOR(pg_catalog.@>) ANY ($2)) IS NOT TRUE)"

bool
rag_has_judged(Datum rater, Datum keep, ArrayType *elsewhere, Oid nspoid)
{
	static const RagStatement look_sql = {"SELECT" OF_RATER
										  " AND ($3 IS NULL OR f.session_id OPERATOR(pg_catalog.<>) ALL ($3))"
										  " LIMIT 1",
										  3,
										  {TEXTOID, JSONBARRAYOID, UUIDARRAYOID}};
	Datum values[] = {rater, keep, PointerGetDatum(elsewhere)};
	char nulls[] = {' ', keep == (Datum) 0 ? 'n' : ' ', elsewhere ? ' ' : 'n'};
	Oid table = rag_feedback_table(nspoid);

	return OidIsValid(table) &&
		rag_execute_as_owner(table, &look_sql, nspoid, values, nulls) > 0;
}

void
rag_erase_rater(Datum rater, Datum keep, Oid nspoid)
{
	static const RagStatement delete_sql = {"DELETE" OF_RATER,
											2,
											{TEXTOID, JSONBARRAYOID}};
	Datum values[] = {rater, keep};
	char nulls[] = {' ', keep == (Datum) 0 ? 'n' : ' '};

	rag_execute(&delete_sql, nspoid, values, nulls);
}
