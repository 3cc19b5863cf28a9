/*
 * session/create_session.c
 *		Storing the row of a new session.
 */
#include "base/compat.h"

#include "access/table.h"
#include "catalog/pg_collation_d.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/error.h"
#include "base/schema.h"
#include "base/statement.h"
#include "session/create_session.h"
#include "session/find_session.h"
#include "session/session.h"

/*
 * A time is named only if it is given, because the caller may have no right to the
 * column.
 */
#define INSERT(columns, values) \
	RAG_OF_SESSION "INSERT INTO @extschema@.sessions (id, user_id, metadata" columns ")" \
				   " VALUES ($1, $2, $3" values ")" RAG_DISTRIBUTED(" ON CONFLICT (id) DO NOTHING")
#define INSERT_ARGS \
	5, \
	{ \
		UUIDOID, TEXTOID, JSONBOID, TIMESTAMPOID, TIMESTAMPOID \
	}

/*
 * The first index says whether created_at is given, and the second whether updated_at
 * is.
 */
static const RagStatement insert_sql[2][2] = {
	{{INSERT("", ""), INSERT_ARGS},
	 {INSERT(", updated_at", ", $5"), INSERT_ARGS}},
	{{INSERT(", created_at", ", $4"), INSERT_ARGS},
	 {INSERT(", created_at, updated_at", ", $4, $5"), INSERT_ARGS}}};

static const RagStatement insert_if_missing_sql = {
	RAG_OF_SESSION "INSERT INTO @extschema@.sessions (id, user_id, metadata) VALUES ($1, $2, $3)"
				   " ON CONFLICT (id) DO NOTHING",
	3,
	{UUIDOID, TEXTOID, JSONBOID}};

static const RagStatement owner_sql = {
	RAG_OF_SESSION "SELECT user_id::pg_catalog.text FROM @extschema@.sessions"
				   " WHERE id OPERATOR(pg_catalog.=) $1",
	1,
	{UUIDOID}};

/* Where the key of a shard would tell its own name, the INSERT leaves it to us. */
static const RagStatement find_conflict_sql = {
	RAG_OF_SESSION "SELECT FROM @extschema@.sessions WHERE id OPERATOR(pg_catalog.=) $1" RAG_LOCAL(
		" AND false"),
	1,
	{UUIDOID}};

/* The same error, to the letter, as the primary key's. */
pg_noreturn static void
error_session_exists(const RagSession *session)
{
	char *id = DatumGetCString(DirectFunctionCall1(uuid_out,
												   UUIDPGetDatum(session->id)));

	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("duplicate key value violates unique constraint \"%s\"",
					"sessions_pkey"),
			 rag_may_show_keys(session->nspoid, "sessions") ?
				 errdetail("Key (id)=(%s) already exists.", id) :
				 0,
			 rag_errtable(session->nspoid, "sessions", NULL, "sessions_pkey")));
}

/*
 * Returns false if there is no session with the id, or row security hides it. Raises
 * 23505 if the session is there and not user_id's. (NULL stands for a session of
 * nobody.)
 */
static bool
find_session_of_user(const RagSession *session)
{
	Datum values[] = {UUIDPGetDatum(session->id)};
	Datum owner;
	bool isnull;
	bool same;

	if (rag_execute(&owner_sql, session->nspoid, values, NULL) == 0)
		return false;
	owner = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull || session->user_id == NULL)
		same = isnull && session->user_id == NULL;
	else
		same = DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID, owner,
													PointerGetDatum(session->user_id)));
	if (!same)
		error_session_exists(session);
	return true;
}

/* How many times to try again if the session is created and deleted meanwhile. */
#define ATTEMPTS 100

/* Can anything of the user's keep an INSERT from storing a session? */
static bool
can_be_discarded(Oid nspoid)
{
	Relation rel = rag_open_table("sessions", nspoid, AccessShareLock);
	const TriggerDesc *triggers = rel->trigdesc;
	bool result = rel->rd_rules != NULL ||
		(triggers &&
		 (triggers->trig_insert_before_row || triggers->trig_insert_instead_row));

	table_close(rel, NoLock);
	return result;
}

/*
 * The INSERT stored nothing, and yet the row is not visible. The reason is row
 * security, a trigger or rule, or others who create and delete the session all the
 * time.
 */
pg_noreturn static void
error_not_created(const RagSession *session)
{
	if (!rag_may_show_keys(session->nspoid, "sessions"))
		error_session_exists(session);
	if (can_be_discarded(session->nspoid))
		rag_error_discarded(session->nspoid, "sessions");
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("the session was created and deleted by others meanwhile"),
			 errhint("Repeat the transaction."),
			 rag_errtable(session->nspoid, "sessions", NULL, NULL)));
}

/* Looks first: an INSERT would wait for whoever is writing to the session. */
void
rag_insert_missing_session(const RagSession *session, const Datum *values,
						   const char *nulls)
{
	rag_check_user_id(session->user_id, session->nspoid);
	for (int i = 0; i < ATTEMPTS; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (find_session_of_user(session) ||
			rag_execute(&insert_if_missing_sql, session->nspoid, values, nulls) > 0)
			return;
	}
	error_not_created(session);
}

/*
 * If somebody else creates the session meanwhile, the INSERT does not lock it: then
 * it is locked in the next round.
 */
void
rag_claim_session(const RagSession *session, bool touch)
{
	Datum values[] = {UUIDPGetDatum(session->id), PointerGetDatum(session->user_id),
					  (Datum) 0};
	const char nulls[] = {' ', session->user_id ? ' ' : 'n', 'n'};

	rag_check_user_id(session->user_id, session->nspoid);
	for (int i = 0; i < ATTEMPTS; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (touch ? rag_try_touch_session(session) : rag_lock_session(session))
			return;
		if ((session->user_id == NULL || !find_session_of_user(session)) &&
			rag_execute(&insert_if_missing_sql, session->nspoid, values, nulls) > 0)
			return;
	}
	error_not_created(session);
}

/*
 * A user_id is part of an index, whose entries have at most 2704 bytes: PostgreSQL would
 * speak of an index row.
 */
void
rag_check_user_id(const text *user_id, Oid nspoid)
{
	if (user_id && VARSIZE_ANY_EXHDR(user_id) > RAG_MAX_USER_ID_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("user_id is too long"),
				 errdetail("A user_id has at most %d bytes.", RAG_MAX_USER_ID_BYTES),
				 rag_errtable(nspoid, "sessions", "user_id", NULL)));
}

void
rag_insert_session(Oid nspoid, const Datum *values, const char *nulls)
{
	RagSession session = {.nspoid = nspoid, .id = DatumGetUUIDP(values[SESSION_ID])};
	bool has_created_at = nulls[SESSION_CREATED_AT] != 'n';
	bool has_updated_at = nulls[SESSION_UPDATED_AT] != 'n';

	if (nulls[SESSION_USER_ID] != 'n')
		rag_check_user_id(DatumGetTextPP(values[SESSION_USER_ID]), nspoid);
	if (rag_execute(&insert_sql[has_created_at][has_updated_at], nspoid, values,
					nulls) > 0)
		return;
	if (rag_execute(&find_conflict_sql, nspoid, values, NULL) > 0)
		error_session_exists(&session);
	rag_error_discarded(nspoid, "sessions");
}
