/*
 * session/session.h
 *		What a session is: its columns, and which one a function is called for.
 */
#ifndef RAG_SESSION_H
#define RAG_SESSION_H

#include "base/compat.h"

#include "utils/timestamp.h"
#include "utils/uuid.h"

/* The columns of sessions, in the order of an INSERT's parameters. */
enum
{
	SESSION_ID,
	SESSION_USER_ID,
	SESSION_METADATA,
	SESSION_CREATED_AT,
	SESSION_UPDATED_AT,
	RAG_SESSION_NCOLUMNS
};

typedef struct RagSessionColumn
{
	const char *name;
	const char *field; /* its name in JSON */
	Oid type;
} RagSessionColumn;

extern const RagSessionColumn rag_session_columns[RAG_SESSION_NCOLUMNS];

/*
 * The session that a function is called for. With a user_id, it must be that user's.
 */
typedef struct RagSession
{
	Oid nspoid; /* the schema of the extension */
	const pg_uuid_t *id;
	const text *user_id; /* or NULL */
} RagSession;

/*
 * The session that the arguments of a function name: session_id is the first argument,
 * and user_id is the one with the number user_id_arg. Raises 22004 if session_id is
 * NULL; table is what the function is about: sessions or messages.
 */
extern RagSession rag_session_argument(FunctionCallInfo fcinfo, int user_id_arg,
									   const char *table);

/*
 * A statement on the session with the id $1, and the same with the user_id $2, as an
 * array of two: [user_id != NULL] chooses. (They are two statements, as the caller may
 * have no right to the column user_id.)
 */
#define RAG_ON_SESSION(before, after) \
	{ \
		{RAG_OF_SESSION before " WHERE id OPERATOR(pg_catalog.=) $1" after, 1, {UUIDOID}}, \
		{ \
			RAG_OF_SESSION before " WHERE id OPERATOR(pg_catalog.=) $1" \
								  " AND user_id::pg_catalog.text OPERATOR(pg_catalog.=) $2" after, \
				2, \
			{ \
				UUIDOID, TEXTOID \
			} \
		} \
	}

/* The time of the transaction, as LOCALTIMESTAMP has it. */
extern Timestamp rag_transaction_time(void);

#endif /* RAG_SESSION_H */
