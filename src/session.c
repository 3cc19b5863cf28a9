/*
 * session.c
 *		Sessions: creating, changing and deleting them, and touching them when a
 *		message is written.
 */
#include "compat.h"

#include "catalog/pg_collation_d.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "error.h"
#include "metadata.h"
#include "plan.h"
#include "session.h"
#include "touch.h"
#include "uuidv7.h"

static const RagStatement touch = {
	"UPDATE %1$s.sessions SET updated_at = CURRENT_TIMESTAMP"
	" WHERE id OPERATOR(pg_catalog.=) $1",
	1,
	{UUIDOID}};

static const RagStatement touch_owned = {
	"UPDATE %1$s.sessions SET updated_at = CURRENT_TIMESTAMP"
	" WHERE id OPERATOR(pg_catalog.=) $1"
	" AND user_id::pg_catalog.text OPERATOR(pg_catalog.=) $2",
	2,
	{UUIDOID, TEXTOID}};

static const RagStatement lock = {
	"SELECT FROM %1$s.sessions WHERE id OPERATOR(pg_catalog.=) $1"
	" FOR NO KEY UPDATE",
	1,
	{UUIDOID}};

static const RagStatement lock_owned = {
	"SELECT FROM %1$s.sessions WHERE id OPERATOR(pg_catalog.=) $1"
	" AND user_id::pg_catalog.text OPERATOR(pg_catalog.=) $2"
	" FOR NO KEY UPDATE",
	2,
	{UUIDOID, TEXTOID}};

static const RagStatement look = {
	"SELECT FROM %1$s.sessions WHERE id OPERATOR(pg_catalog.=) $1",
	1,
	{UUIDOID}};

static const RagStatement look_owned = {
	"SELECT FROM %1$s.sessions WHERE id OPERATOR(pg_catalog.=) $1"
	" AND user_id::pg_catalog.text OPERATOR(pg_catalog.=) $2",
	2,
	{UUIDOID, TEXTOID}};

/* Times are named only where they are given: the caller may have no right to them. */
#define INSERT(columns, values) \
	"INSERT INTO %1$s.sessions (id, user_id, metadata" columns ")" \
	" VALUES ($1, $2, $3" values ")"
#define INSERT_ARGS \
	5, \
	{ \
		UUIDOID, TEXTOID, JSONBOID, TIMESTAMPOID, TIMESTAMPOID \
	}

/* By whether created_at is given, and updated_at. */
static const RagStatement insert[2][2] = {
	{{INSERT("", ""), INSERT_ARGS},
	 {INSERT(", updated_at", ", $5"), INSERT_ARGS}},
	{{INSERT(", created_at", ", $4"), INSERT_ARGS},
	 {INSERT(", created_at, updated_at", ", $4, $5"), INSERT_ARGS}}};

static const RagStatement insert_if_missing = {
	"INSERT INTO %1$s.sessions (id, user_id, metadata) VALUES ($1, $2, $3)"
	" ON CONFLICT (id) DO NOTHING",
	3,
	{UUIDOID, TEXTOID, JSONBOID}};

static const RagStatement read_metadata = {
	"SELECT metadata::pg_catalog.jsonb FROM %1$s.sessions WHERE id OPERATOR(pg_catalog.=) $1",
	1,
	{UUIDOID}};

static const RagStatement set_metadata = {
	"UPDATE %1$s.sessions SET metadata = $2 WHERE id OPERATOR(pg_catalog.=) $1",
	2,
	{UUIDOID, JSONBOID}};

static const RagStatement delete = {
	"DELETE FROM %1$s.sessions WHERE id OPERATOR(pg_catalog.=) $1",
	1,
	{UUIDOID}};

static const RagStatement delete_owned = {
	"DELETE FROM %1$s.sessions WHERE id OPERATOR(pg_catalog.=) $1"
	" AND user_id::pg_catalog.text OPERATOR(pg_catalog.=) $2",
	2,
	{UUIDOID, TEXTOID}};

static const RagStatement owner = {
	"SELECT user_id::pg_catalog.text FROM %1$s.sessions"
	" WHERE id OPERATOR(pg_catalog.=) $1",
	1,
	{UUIDOID}};

bool
rag_try_touch_session(Oid nspoid, const pg_uuid_t *session_id, const text *user_id)
{
	Datum values[] = {UUIDPGetDatum(session_id), PointerGetDatum(user_id)};

	if (rag_touch_directly(nspoid, session_id, user_id) ||
		rag_execute(user_id ? &touch_owned : &touch, nspoid, values, NULL) > 0)
		return true;

	/*
	 * No row was updated, but that is not proof that there is no session: a
	 * trigger of the user may have suppressed the update. Then take the lock
	 * that the update would have taken.
	 */
	return rag_lock_session(nspoid, session_id, user_id);
}

void
rag_touch_session(Oid nspoid, const pg_uuid_t *session_id, const text *user_id)
{
	if (!rag_try_touch_session(nspoid, session_id, user_id))
		rag_error_no_session(nspoid, session_id);
}

bool
rag_lock_session(Oid nspoid, const pg_uuid_t *session_id, const text *user_id)
{
	Datum values[] = {UUIDPGetDatum(session_id), PointerGetDatum(user_id)};

	return rag_execute(user_id ? &lock_owned : &lock, nspoid, values, NULL) > 0;
}

void
rag_require_session(Oid nspoid, const pg_uuid_t *session_id, const text *user_id)
{
	Datum values[] = {UUIDPGetDatum(session_id), PointerGetDatum(user_id)};

	if (!rag_see_directly(nspoid, session_id, user_id) &&
		rag_query(user_id ? &look_owned : &look, nspoid, values, NULL) == 0)
		rag_error_no_session(nspoid, session_id);
}

void
rag_lock_existing_session(Oid nspoid, const pg_uuid_t *session_id,
						  const text *user_id)
{
	if (!rag_lock_session(nspoid, session_id, user_id))
		rag_error_no_session(nspoid, session_id);
}

/* The same error, to the letter, as the primary key's. */
pg_noreturn static void
error_session_exists(Oid nspoid, const pg_uuid_t *session_id)
{
	char *id = DatumGetCString(DirectFunctionCall1(uuid_out,
												   UUIDPGetDatum(session_id)));

	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("duplicate key value violates unique constraint \"%s\"",
					"sessions_pkey"),
			 rag_may_show_keys(nspoid, "sessions") ?
				 errdetail("Key (id)=(%s) already exists.", id) :
				 0,
			 rag_errtable(nspoid, "sessions", NULL, "sessions_pkey")));
}

/*
 * Returns false if there is no such session (or row security hides it). Raises
 * 23505 if it is not user_id's, where NULL is a session of nobody.
 */
static bool
find_session_of(Oid nspoid, const pg_uuid_t *session_id, const text *user_id)
{
	Datum values[] = {UUIDPGetDatum(session_id)};
	Datum found;
	bool isnull;
	bool same;

	if (rag_execute(&owner, nspoid, values, NULL) == 0)
		return false;
	found = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						  &isnull);
	if (isnull || user_id == NULL)
		same = isnull && user_id == NULL;
	else
		same = DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID,
													found,
													PointerGetDatum(user_id)));
	if (!same)
		error_session_exists(nspoid, session_id);
	return true;
}

/* How often to go on when the session comes or goes between two looks at it. */
#define ATTEMPTS 3

/* It is neither written nor seen: row security hides it, or a trigger. */
pg_noreturn static void
error_not_created(Oid nspoid, const pg_uuid_t *session_id)
{
	if (rag_may_show_keys(nspoid, "sessions"))
		rag_error_discarded(nspoid, "sessions");
	error_session_exists(nspoid, session_id);
}

static void
create_if_missing(Oid nspoid, const pg_uuid_t *session_id,
				  const text *user_id, const Datum *values, const char *nulls)
{
	/* Looks first: an INSERT would wait for whoever is writing to the session. */
	for (int i = 0; i < ATTEMPTS; i++)
	{
		if (find_session_of(nspoid, session_id, user_id) ||
			rag_execute(&insert_if_missing, nspoid, values, nulls) > 0)
			return;
	}
	error_not_created(nspoid, session_id);
}

void
rag_claim_session(Oid nspoid, const pg_uuid_t *session_id, const text *user_id,
				  bool touch)
{
	Datum values[] = {UUIDPGetDatum(session_id), PointerGetDatum(user_id), (Datum) 0};
	const char nulls[] = {' ', user_id ? ' ' : 'n', 'n'};

	/*
	 * A session that somebody else creates meanwhile is there, and not locked: it
	 * is then to be locked as any other.
	 */
	for (int i = 0; i < ATTEMPTS; i++)
	{
		if (touch ? rag_try_touch_session(nspoid, session_id, user_id) :
					rag_lock_session(nspoid, session_id, user_id))
			return;
		if ((user_id == NULL || !find_session_of(nspoid, session_id, user_id)) &&
			rag_execute(&insert_if_missing, nspoid, values, nulls) > 0)
			return;
	}
	error_not_created(nspoid, session_id);
}

void
rag_insert_session(Oid nspoid, const Datum *values, const char *nulls)
{
	bool has_created_at = nulls[SESSION_CREATED_AT] != 'n';
	bool has_updated_at = nulls[SESSION_UPDATED_AT] != 'n';

	if (rag_execute(&insert[has_created_at][has_updated_at], nspoid, values,
					nulls) == 0)
		rag_error_discarded(nspoid, "sessions");
}

/*
 * rag_create_session(user_id text DEFAULT NULL, metadata jsonb DEFAULT NULL,
 *					  session_id uuid DEFAULT NULL,
 *					  if_not_exists boolean DEFAULT false) returns uuid
 *
 * Creates a session and returns its id: session_id, or without one a new
 * time-ordered UUID. With if_not_exists, a session that is there and has the
 * same user_id is returned as it is.
 *
 * Errors: 23505 the session id exists (with if_not_exists: and is another
 * user's); 25006 read-only transaction or standby; 27000 a trigger or rule
 * discarded the session.
 */
PG_FUNCTION_INFO_V1(rag_create_session);
Datum
rag_create_session(PG_FUNCTION_ARGS)
{
	Oid nspoid = rag_namespace(fcinfo);
	const text *user_id = PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0);
	bool if_not_exists = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	pg_uuid_t *session_id = palloc(sizeof(pg_uuid_t));
	Datum values[RAG_SESSION_NCOLUMNS] = {UUIDPGetDatum(session_id),
										  PointerGetDatum(user_id),
										  PG_GETARG_DATUM(1)};
	const char nulls[RAG_SESSION_NCOLUMNS] = {' ', user_id ? ' ' : 'n',
											  PG_ARGISNULL(1) ? 'n' : ' ', 'n', 'n'};

	PreventCommandIfReadOnly("rag_create_session()");
	if (PG_ARGISNULL(2))
		rag_uuidv7(session_id);
	else
		*session_id = *PG_GETARG_UUID_P(2);

	SPI_connect();
	if (if_not_exists)
		create_if_missing(nspoid, session_id, user_id, values, nulls);
	else
		rag_insert_session(nspoid, values, nulls);
	SPI_finish();

	PG_RETURN_UUID_P(session_id);
}

/* The session is locked. */
static Jsonb *
merge_metadata(Oid nspoid, const pg_uuid_t *session_id, Jsonb *change)
{
	Datum values[] = {UUIDPGetDatum(session_id), (Datum) 0};
	Datum stored;
	bool isnull;
	Jsonb *merged;

	if (rag_execute(&read_metadata, nspoid, values, NULL) == 0)
		rag_error_no_session(nspoid, session_id);
	stored = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	merged = rag_merge_metadata(isnull ? NULL : DatumGetJsonbP(stored), change, nspoid,
								"sessions");
	values[1] = JsonbPGetDatum(merged);
	if (rag_execute(&set_metadata, nspoid, values, NULL) == 0)
		rag_error_discarded(nspoid, "sessions");
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
	Oid nspoid = rag_namespace(fcinfo);
	Datum merged;

	if (PG_ARGISNULL(0))
		rag_error_null(nspoid, "messages", "session_id", 0);
	if (PG_ARGISNULL(1))
		rag_error_null(nspoid, "sessions", "metadata", 0);
	rag_check_metadata(PG_GETARG_JSONB_P(1), nspoid, "sessions", 0);
	PreventCommandIfReadOnly("rag_update_session()");

	SPI_connect();
	rag_lock_existing_session(nspoid, PG_GETARG_UUID_P(0),
							  PG_ARGISNULL(2) ? NULL : PG_GETARG_TEXT_PP(2));
	merged = JsonbPGetDatum(merge_metadata(nspoid, PG_GETARG_UUID_P(0),
										   PG_GETARG_JSONB_P(1)));
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
 * A session that is there although none was deleted need not be one that a trigger
 * kept: it may be a new one, made with the same id since then.
 */
static bool
delete_session(Oid nspoid, const Datum *values, bool has_user)
{
	for (int i = 0; i < ATTEMPTS; i++)
	{
		if (rag_execute(has_user ? &delete_owned : &delete, nspoid, values, NULL) > 0)
			return true;
		if (rag_execute(has_user ? &look_owned : &look, nspoid, values, NULL) == 0)
			return false;
	}
	error_kept(nspoid);
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
	Oid nspoid = rag_namespace(fcinfo);
	Datum values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	bool deleted;

	if (PG_ARGISNULL(0))
		rag_error_null(nspoid, "messages", "session_id", 0);
	PreventCommandIfReadOnly("rag_delete_session()");

	SPI_connect();
	deleted = delete_session(nspoid, values, !PG_ARGISNULL(1));
	SPI_finish();

	PG_RETURN_BOOL(deleted);
}

/*
 * rag_uuidv7() returns uuid
 *
 * Returns a new time-ordered UUID (version 7 of RFC 9562). Since 1.1 it is the
 * default of sessions.id.
 */
PG_FUNCTION_INFO_V1(rag_uuidv7_sql);
Datum
rag_uuidv7_sql(PG_FUNCTION_ARGS)
{
	pg_uuid_t *uuid = palloc(sizeof(pg_uuid_t));

	rag_uuidv7(uuid);
	PG_RETURN_UUID_P(uuid);
}
