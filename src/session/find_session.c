/*
 * session/find_session.c
 *		Finding, locking and touching a session.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "base/error.h"
#include "base/schema.h"
#include "base/statement.h"
#include "base/table_facts.h"
#include "session/find_session.h"
#include "session/find_session_direct.h"
#include "session/session.h"

/*
 * A transaction that began earlier may write later: updated_at does not go back then.
 * (Whoever may not read it can only set it to the transaction's time. Citus asks
 * functions for the time before it sends a statement, but leaves LOCALTIMESTAMP to the
 * other node.)
 */
static const RagStatement touch_sql[] = RAG_ON_SESSION(
	"UPDATE @extschema@.sessions SET updated_at = GREATEST(updated_at, " RAG_LOCAL("LOCALTIMESTAMP")
		RAG_DISTRIBUTED("pg_catalog.now()::pg_catalog.timestamp") ")",
	"");

static const RagStatement touch_unread_sql[] =
	RAG_ON_SESSION("UPDATE @extschema@.sessions SET updated_at = CURRENT_TIMESTAMP", "");

static const RagStatement lock_sql[] =
	RAG_ON_SESSION("SELECT FROM @extschema@.sessions", " FOR NO KEY UPDATE");

static const RagStatement lock_for_delete_sql[] =
	RAG_ON_SESSION("SELECT FROM @extschema@.sessions", " FOR UPDATE");

static const RagStatement look_sql[] =
	RAG_ON_SESSION("SELECT FROM @extschema@.sessions", "");

static const RagStatement metadata_sql[] =
	RAG_ON_SESSION("SELECT metadata::pg_catalog.jsonb FROM @extschema@.sessions", "");

/* Runs a statement of RAG_ON_SESSION() and returns the number of rows. */
static uint64
execute_on(const RagSession *session, const RagStatement *statements)
{
	Datum values[] = {UUIDPGetDatum(session->id), PointerGetDatum(session->user_id)};

	return rag_execute(&statements[session->user_id != NULL], session->nspoid, values,
					   NULL);
}

static bool
may_read_updated_at(Oid nspoid)
{
	Oid sessions = rag_relation("sessions", nspoid);
	AttrNumber attnum = get_attnum(sessions, "updated_at");

	return rag_may_read(sessions, attnum);
}

static bool
touch_by_statement(const RagSession *session)
{
	const RagStatement *touch =
		may_read_updated_at(session->nspoid) ? touch_sql : touch_unread_sql;

	return execute_on(session, touch) > 0;
}

bool
rag_lock_session(const RagSession *session)
{
	return rag_lock_directly(session, LockTupleNoKeyExclusive) ||
		execute_on(session, lock_sql) > 0;
}

bool
rag_lock_session_for_delete(const RagSession *session)
{
	return rag_lock_directly(session, LockTupleExclusive) ||
		execute_on(session, lock_for_delete_sql) > 0;
}

void
rag_lock_existing_session(const RagSession *session)
{
	if (!rag_lock_session(session))
		rag_error_no_session(session->nspoid, session->id);
}

/*
 * If no row was updated, the session may exist nevertheless, because a trigger of the
 * user may have suppressed the update. Then this takes the lock that the update would
 * have taken.
 */
bool
rag_try_touch_session(const RagSession *session)
{
	return rag_touch_directly(session) || touch_by_statement(session) ||
		rag_lock_session(session);
}

void
rag_touch_session(const RagSession *session)
{
	if (!rag_try_touch_session(session))
		rag_error_no_session(session->nspoid, session->id);
}

bool
rag_session_exists(const RagSession *session)
{
	return execute_on(session, look_sql) > 0;
}

void
rag_require_session(const RagSession *session)
{
	const RagStatement *look = &look_sql[session->user_id != NULL];
	Datum values[] = {UUIDPGetDatum(session->id), PointerGetDatum(session->user_id)};

	if (!rag_see_directly(session) &&
		rag_query(look, session->nspoid, values, NULL) == 0)
		rag_error_no_session(session->nspoid, session->id);
}

Jsonb *
rag_read_metadata(const RagSession *session)
{
	Datum values[] = {UUIDPGetDatum(session->id), PointerGetDatum(session->user_id)};
	Datum metadata;
	bool isnull;

	if (rag_query(&metadata_sql[session->user_id != NULL], session->nspoid, values,
				  NULL) == 0)
		rag_error_no_session(session->nspoid, session->id);
	metadata = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	return isnull ? NULL : DatumGetJsonbP(metadata);
}
