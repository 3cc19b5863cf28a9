/*
 * read/get_session.c
 *		rag_get_session(): one session, as the list shows it.
 */
#include "base/compat.h"

#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/tuplestore.h"

#include "base/error.h"
#include "base/statement.h"
#include "session/session.h"
#include "read/session_sql.h"

/* Title and preview take the places of "%s". */
#define SHOW \
	RAG_OF_SESSION "SELECT s.id, s.user_id::pg_catalog.text, %s, %s, s.created_at, s.updated_at," \
				   " s.metadata FROM @extschema@.sessions AS s WHERE s.id OPERATOR(pg_catalog.=) $1"

static const RagStatement *
show_statement(bool has_user)
{
	static RagStatement statements[2] = {{NULL, 1, {UUIDOID}},
										 {NULL, 2, {UUIDOID, TEXTOID}}};
	RagStatement *statement = &statements[has_user];

	if (statement->sql == NULL)
		statement->sql =
			rag_session_sql(has_user ?
								SHOW " AND s.user_id::pg_catalog.text OPERATOR(pg_catalog.=) $2" :
								SHOW);
	return statement;
}

/*
 * rag_get_session(session_id uuid, user_id text DEFAULT NULL)
 *		returns table (session_id uuid, user_id text, title text, preview text,
 *					   created_at timestamp, updated_at timestamp, metadata jsonb)
 *
 * Returns the session: one row, with title and preview as rag_list_sessions() has
 * them. With user_id the session must be that user's.
 *
 * Errors: 22004 session_id is NULL; 23503 no such session. Since 1.3.
 */
PG_FUNCTION_INFO_V1(rag_get_session);
Datum
rag_get_session(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	RagSession session = rag_session_argument(fcinfo, 1, "sessions");
	Datum values[] = {UUIDPGetDatum(session.id), PointerGetDatum(session.user_id)};

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	rag_return_rows(fcinfo, show_statement(session.user_id != NULL), session.nspoid,
					values, NULL);
	if (tuplestore_tuple_count(rsinfo->setResult) == 0)
		rag_error_no_session(session.nspoid, session.id);
	SPI_finish();
	return (Datum) 0;
}
