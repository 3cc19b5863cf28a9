/*
 * message/message.h
 *		A message on its way into the table: its columns, and the rules that each
 *		value must keep.
 */
#ifndef RAG_MESSAGE_H
#define RAG_MESSAGE_H

#include "base/compat.h"

#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "base/statement.h"

/*
 * The columns of messages. From sources on they are optional: an INSERT names them only
 * when there is a value. Otherwise the default of the column applies; and the caller may
 * have no right to them, or an earlier version of the table not have them.
 */
typedef enum RagColumn
{
	COL_ID,
	COL_SESSION_ID,
	COL_ROLE,
	COL_CONTENT,
	COL_SOURCES,
	COL_LATENCY_MS,
	COL_TOP_K,
	COL_QUERY_TYPE,
	COL_TOKEN_COUNT,
	COL_METADATA,
	COL_IDEMPOTENCY_KEY,
	COL_CREATED_AT,
	RAG_NCOLUMNS
} RagColumn;

#define COL_FIRST_OPTIONAL COL_SOURCES
#define COL_FIRST_SINCE_1_1 COL_TOKEN_COUNT
#define RAG_NOPTIONAL (RAG_NCOLUMNS - COL_FIRST_OPTIONAL)

/* What may be done with a column. */
#define RAG_REQUIRED 0x01  /* a message must have a value for it */
#define RAG_FILLED_IN 0x02 /* storing a message gives it a value where it has none */
#define RAG_IN_JSON 0x04   /* it is a field of a message in JSON */
#define RAG_IS_OBJECT 0x08 /* its JSON is an object */
#define RAG_COPIED 0x10	   /* rag_copy_session() copies it */
#define RAG_EXPORTED 0x20  /* rag_export_session() exports it */

/*
 * A column, and all that the functions have to know of it: whatever lists columns is
 * made of these. (What parameters a function has is written down beside the function:
 * a later column changes none.)
 */
typedef struct RagColumnInfo
{
	const char *name;
	Oid type; /* the type that our functions use; the table may have a similar one */
	Oid array_type;
	int16 typlen; /* length of the type, as construct_md_array() wants it */
	bool typbyval;
	char typalign;
	int result_no; /* place in a row of rag_get_messages(), from 1; or 0 */
	int may;	   /* RAG_REQUIRED and the others */
} RagColumnInfo;

extern const RagColumnInfo rag_columns[RAG_NCOLUMNS];

/* The number of columns that rag_get_messages() returns. */
#define RAG_NRESULTS 11

/* The column that has that place, from 1, in a row of rag_get_messages(). */
extern RagColumn rag_result_column(int result_no);

/*
 * Does a column of the table with this type hold the values in the type that our
 * functions use, or in one that they can convert: varchar for text, integer for an
 * id?
 */
extern bool rag_column_has_type(RagColumn col, Oid type, int32 typmod);

/* The column of the field of a message in JSON; RAG_NCOLUMNS: there is none. */
extern RagColumn rag_column_of_field(const JsonbValue *name);

/* The column as SQL that reads it in the type that our functions have it in. */
extern char *rag_column_sql(RagColumn col);

typedef struct RagMessage
{
	Datum values[RAG_NCOLUMNS];
	bool isnull[RAG_NCOLUMNS];
	int element;				/* place in the array, from 1; or 0 */
	struct RagMessage *repeats; /* message of the array with the same key, or NULL */
} RagMessage;

/* Which argument of a function, counted from 0, is the value of a column. */
typedef struct RagArgument
{
	RagColumn col;
	int arg;
} RagArgument;

/* The message that the arguments of a function make; it has no other values. */
extern void rag_message_from_arguments(RagMessage *message, FunctionCallInfo fcinfo,
									   const RagArgument *arguments, int n);

/* Makes it a message without any value. */
extern void rag_clear_message(RagMessage *message);

/* The longest idempotency key. */
#define RAG_MAX_KEY_BYTES 255

/* The bit of an optional column in a mask of those that have a value. */
#define RAG_COLUMN_BIT(col) (1 << ((col) -COL_FIRST_OPTIONAL))
#define RAG_ALL_OPTIONAL ((1 << RAG_NOPTIONAL) - 1)

/* The optional columns that have a value in the message. */
extern int rag_optional_columns(const RagMessage *message);

/*
 * Checks every value but created_at. Errors: 22004, 23514, 22003, 22001 and
 * 22023, as documented at rag_add_message(); each names the element.
 */
extern void rag_check_message(const RagMessage *message, Oid nspoid);

/* The same, for only those values that may be NULL. */
extern void rag_check_values(const RagMessage *message, Oid nspoid);

/*
 * Checks that the table has the optional columns of the mask: 0A000 where it is
 * of an earlier version.
 */
extern void rag_check_columns(int optional, Oid nspoid);

/*
 * Runs a statement whose parameters are the values of all columns, in their order.
 * Returns the number of rows. The caller is connected to SPI.
 */
extern uint64 rag_execute_message(const RagStatement *statement,
								  const RagMessage *message, Oid nspoid);

#endif /* RAG_MESSAGE_H */
