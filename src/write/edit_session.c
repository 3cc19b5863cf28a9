/*
 * write/edit_session.c
 *		Creating, changing and deleting sessions: rag_create_session(),
 *		rag_update_session(), rag_delete_session() and rag_reassign_sessions().
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"

#include "base/error.h"
#include "base/metadata.h"
#include "base/schema.h"
#include "base/statement.h"
#include "base/uuidv7.h"
#include "session/create_session.h"
#include "session/find_session.h"
#include "session/session.h"
#include "write/delete_direct.h"

static const RagStatement read_metadata_sql = {
	RAG_OF_SESSION "SELECT metadata::pg_catalog.jsonb FROM @extschema@.sessions WHERE id OPERATOR(pg_catalog.=) $1",
	1,
	{UUIDOID}};

static const RagStatement set_metadata_sql = {
	RAG_OF_SESSION "UPDATE @extschema@.sessions SET metadata = $2 WHERE id OPERATOR(pg_catalog.=) $1",
	2,
	{UUIDOID, JSONBOID}};

static const RagStatement delete_sql[] =
	RAG_ON_SESSION("DELETE FROM @extschema@.sessions", "");

/*
 * They are locked in one order, so that two calls at once do not wait for each other.
 * (It is an order that the index by user gives: another one would be a reason to read
 * another index, with the sessions of all users.)
 */
static const RagStatement reassign_sql = {
	"UPDATE @extschema@.sessions SET user_id = $2"
	" WHERE " RAG_LOCAL("id OPERATOR(pg_catalog.=) ANY (ARRAY("
						"SELECT s.id FROM @extschema@.sessions AS s"
						" WHERE s.user_id::pg_catalog.text OPERATOR(pg_catalog.=) $1"
						" ORDER BY s.user_id, s.created_at FOR NO KEY UPDATE)) AND ") "user_id::pg_catalog.text OPERATOR(pg_catalog.=) $1",
	2,
	{TEXTOID, TEXTOID}};

/* A session of nobody, or of the user $1. */
#define ONE_OF(owner) " WHERE id OPERATOR(pg_catalog.=) $3 AND " owner
#define OF_NOBODY ONE_OF("user_id IS NULL")
#define OF_USER ONE_OF("user_id::pg_catalog.text OPERATOR(pg_catalog.=) $1")
#define REASSIGN_ARGS \
	3, \
	{ \
		TEXTOID, TEXTOID, UUIDOID \
	}

static const RagStatement reassign_one_sql[] = {
	{"UPDATE @extschema@.sessions SET user_id = $2" OF_NOBODY, REASSIGN_ARGS},
	{"UPDATE @extschema@.sessions SET user_id = $2" OF_USER, REASSIGN_ARGS}};

static const RagStatement look_for_one_sql[] = {
	{"SELECT FROM @extschema@.sessions" OF_NOBODY, REASSIGN_ARGS},
	{"SELECT FROM @extschema@.sessions" OF_USER, REASSIGN_ARGS}};

/*
 * rag_create_session(user_id text DEFAULT NULL, metadata jsonb DEFAULT NULL,
 *					  session_id uuid DEFAULT NULL,
 *					  if_not_exists boolean DEFAULT false) returns uuid
 *
 * Creates a session and returns its id: session_id, or without one a new
 * time-ordered UUID. With if_not_exists, a session that is there and has the
 * same user_id is returned as it is.
 *
 * Errors: 22023 metadata is no object; 22001 user_id longer than 2000 bytes; 23505 the
 * session id exists (with if_not_exists: and is another user's); 25006 read-only
 * transaction or standby; 27000 a trigger or rule discarded the session.
 */
PG_FUNCTION_INFO_V1(rag_create_session);
Datum
rag_create_session(PG_FUNCTION_ARGS)
{
	pg_uuid_t *id = palloc(sizeof(pg_uuid_t));
	RagSession session = {.nspoid = rag_namespace(fcinfo), .id = id};
	Datum values[RAG_SESSION_NCOLUMNS] = {
		[SESSION_ID] = UUIDPGetDatum(id),
		[SESSION_USER_ID] = PG_GETARG_DATUM(0),
		[SESSION_METADATA] = PG_GETARG_DATUM(1),
	};
	const char nulls[RAG_SESSION_NCOLUMNS] = {
		[SESSION_ID] = ' ',
		[SESSION_USER_ID] = PG_ARGISNULL(0) ? 'n' : ' ',
		[SESSION_METADATA] = PG_ARGISNULL(1) ? 'n' : ' ',
		[SESSION_CREATED_AT] = 'n',
		[SESSION_UPDATED_AT] = 'n',
	};

	if (!PG_ARGISNULL(1) && !rag_jsonb_is_null(PG_GETARG_JSONB_P(1)))
		rag_check_metadata(PG_GETARG_JSONB_P(1), session.nspoid, "sessions", 0);
	rag_check_may_write("rag_create_session()");
	if (!PG_ARGISNULL(0))
		session.user_id = PG_GETARG_TEXT_PP(0);
	if (PG_ARGISNULL(2))
		rag_uuidv7(id);
	else
		*id = *PG_GETARG_UUID_P(2);

	SPI_connect();
	if (!PG_ARGISNULL(3) && PG_GETARG_BOOL(3))
		rag_insert_missing_session(&session, values, nulls);
	else
		rag_insert_session(session.nspoid, values, nulls);
	SPI_finish();

	PG_RETURN_UUID_P(id);
}

/* Stores and returns the merged metadata of the session, which is locked. */
static Jsonb *
merge_metadata(const RagSession *session, Jsonb *change)
{
	Datum values[] = {UUIDPGetDatum(session->id), (Datum) 0};
	Datum stored;
	bool isnull;
	Jsonb *merged;

	if (rag_execute(&read_metadata_sql, session->nspoid, values, NULL) == 0)
		rag_error_no_session(session->nspoid, session->id);
	stored = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	merged = rag_merge_metadata(isnull ? NULL : DatumGetJsonbP(stored), change,
								session->nspoid, "sessions");
	values[1] = JsonbPGetDatum(merged);
	if (rag_execute(&set_metadata_sql, session->nspoid, values, NULL) == 0)
		rag_error_discarded(session->nspoid, "sessions");
	return merged;
}

/*
 * rag_update_session(session_id uuid, metadata jsonb, user_id text DEFAULT NULL)
 *		returns jsonb
 *
 * Merges an object into the metadata of a session and returns the result: each key
 * replaces the one that is there, and a key with null is removed. updated_at stays,
 * as the time of the last change of messages. With user_id the session must be that
 * user's.
 *
 * Errors: 22004 session_id or metadata is NULL; 22023 metadata, or what is stored, is
 * no object; 23503 no such session; 25006 read-only transaction or standby; 27000 a
 * trigger or rule discarded the change. Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_update_session);
Datum
rag_update_session(PG_FUNCTION_ARGS)
{
	RagSession session = rag_session_argument(fcinfo, 2, "sessions");
	Datum merged;

	if (PG_ARGISNULL(1))
		rag_error_null(session.nspoid, "sessions", "metadata", 0);
	rag_check_metadata(PG_GETARG_JSONB_P(1), session.nspoid, "sessions", 0);
	rag_check_may_write("rag_update_session()");

	SPI_connect();
	rag_lock_existing_session(&session);
	merged = JsonbPGetDatum(merge_metadata(&session, PG_GETARG_JSONB_P(1)));
	merged = SPI_datumTransfer(merged, false, -1);
	SPI_finish();

	PG_RETURN_DATUM(merged);
}

pg_noreturn static void
error_kept(Oid nspoid)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("nothing was deleted from table \"%s\"", "sessions"),
			 errdetail("A trigger or a rule on the table kept the row."),
			 rag_errtable(nspoid, "sessions", NULL, NULL)));
}

/*
 * Deletes the session without a DELETE. Returns false where that cannot be done, or there
 * is no such session; a DELETE does the rest then.
 */
static bool
delete_directly(const RagSession *session, const Datum *values)
{
	int64 sessions = 0;
	int64 messages = 0;

	return rag_may_delete_sessions_directly(session->nspoid) &&
		rag_lock_session_for_delete(session) &&
		rag_delete_sessions_directly(session->nspoid, values, 1, &sessions, &messages) &&
		sessions == 1;
}

/*
 * If nothing was deleted and yet the session exists, that need not be a trigger's
 * doing: the session may have been created with the same id just after. So it is
 * locked before the second attempt.
 */
static bool
delete_session(const RagSession *session)
{
	bool has_user = session->user_id != NULL;
	Datum values[] = {UUIDPGetDatum(session->id), PointerGetDatum(session->user_id)};

	if (delete_directly(session, values) ||
		rag_execute(&delete_sql[has_user], session->nspoid, values, NULL) > 0)
		return true;
	if (!rag_session_exists(session) || !rag_lock_session_for_delete(session))
		return false;
	if (rag_execute(&delete_sql[has_user], session->nspoid, values, NULL) == 0)
		error_kept(session->nspoid);
	return true;
}

/*
 * rag_delete_session(session_id uuid, user_id text DEFAULT NULL) returns boolean
 *
 * Deletes a session with its messages. Returns false, so that it may be repeated,
 * where there is no such session or, with user_id, it is not that user's.
 *
 * Errors: 22004 session_id is NULL; 25006 read-only transaction or standby; 27000 a
 * trigger or rule kept the session. Since 1.2.
 */
PG_FUNCTION_INFO_V1(rag_delete_session);
Datum
rag_delete_session(PG_FUNCTION_ARGS)
{
	RagSession session = rag_session_argument(fcinfo, 1, "sessions");
	bool deleted;

	rag_check_may_write("rag_delete_session()");

	SPI_connect();
	deleted = delete_session(&session);
	SPI_finish();

	PG_RETURN_BOOL(deleted);
}

static void
check_reassign_arguments(FunctionCallInfo fcinfo, Oid nspoid)
{
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("new_user_id must not be null"),
				 rag_errtable(nspoid, "sessions", "user_id", NULL)));
	if (PG_ARGISNULL(0) && PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("user_id must not be null"),
				 errdetail("The sessions of nobody may be those of many people."),
				 errhint("Give the session_id of each one."),
				 rag_errtable(nspoid, "sessions", "user_id", NULL)));
	rag_check_user_id(PG_GETARG_TEXT_PP(1), nspoid);
}

static uint64
reassign_session(Oid nspoid, const Datum *values, const char *nulls)
{
	bool has_user = nulls[0] != 'n';

	if (rag_execute(&reassign_one_sql[has_user], nspoid, values, nulls) > 0)
		return 1;
	if (rag_execute(&look_for_one_sql[has_user], nspoid, values, nulls) == 0)
		rag_error_no_session(nspoid, DatumGetUUIDP(values[2]));

	/* It may have become the user's just after the UPDATE. */
	if (rag_execute(&reassign_one_sql[has_user], nspoid, values, nulls) == 0)
		rag_error_discarded(nspoid, "sessions");
	return 1;
}

/*
 * rag_reassign_sessions(user_id text, new_user_id text, session_id uuid DEFAULT NULL)
 *		returns bigint
 *
 * Makes the sessions of user_id those of new_user_id, or only session_id, and returns how
 * many they are. user_id NULL stands for a session of nobody, and then session_id must be
 * given. updated_at stays.
 *
 * Errors: 22004 new_user_id is NULL, or user_id and session_id are; 22001 new_user_id
 * longer than 2000 bytes; 23503 session_id is given, and no session of user_id; 25006
 * read-only transaction or standby; 27000 a trigger or rule discarded the change of
 * session_id. Since 1.3.
 */
PG_FUNCTION_INFO_V1(rag_reassign_sessions);
Datum
rag_reassign_sessions(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	Datum values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
	const char nulls[] = {PG_ARGISNULL(0) ? 'n' : ' ', ' ', ' '};
	uint64 reassigned;

	check_reassign_arguments(fcinfo, nspoid);
	rag_check_may_write("rag_reassign_sessions()");

	SPI_connect();
	if (PG_ARGISNULL(2))
		reassigned = rag_execute(&reassign_sql, nspoid, values, nulls);
	else
		reassigned = reassign_session(nspoid, values, nulls);
	SPI_finish();

	PG_RETURN_INT64((int64) reassigned);
}
