/*
 * message/message.h
 *		A message on its way into the table: its columns, and the rules that each
 *		value must keep.
 */
#ifndef RAG_MESSAGE_H
#define RAG_MESSAGE_H

#include "base/compat.h"

#include "utils/uuid.h"

/*
 * The columns of messages that the functions write. From token_count on they are
 * named in an INSERT only when there is a value: earlier versions of the table do
 * not have them, or the caller may have no right to them.
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

#define COL_FIRST_OPTIONAL COL_TOKEN_COUNT
#define RAG_NOPTIONAL (RAG_NCOLUMNS - COL_FIRST_OPTIONAL)

typedef struct RagColumnInfo
{
	const char *name;
	Oid type;
	Oid array_type;
	int16 typlen; /* of type, as construct_md_array() wants it */
	bool typbyval;
	char typalign;
} RagColumnInfo;

extern const RagColumnInfo rag_columns[RAG_NCOLUMNS];

typedef struct RagMessage
{
	Datum values[RAG_NCOLUMNS];
	bool isnull[RAG_NCOLUMNS];
	int element;				/* place in an array, from 1; 0: it came alone */
	struct RagMessage *repeats; /* message of the array with the same key, or NULL */
} RagMessage;

/* Makes it a message without any value. */
extern void rag_clear_message(RagMessage *message);

/* The longest idempotency key. */
#define RAG_MAX_KEY_BYTES 255

/* The bit of an optional column in a mask of those that have a value. */
#define RAG_COLUMN_BIT(col) (1 << ((col) -COL_FIRST_OPTIONAL))

/* The optional columns that have a value in the message. */
extern int rag_optional_columns(const RagMessage *message);

/*
 * Checks every value but created_at. Errors: 22004, 23514, 22003, 22001 and
 * 22023, as documented at rag_add_message(); each names the element.
 */
extern void rag_check_message(const RagMessage *message, Oid nspoid);

/* The same for the values that may be NULL alone. */
extern void rag_check_values(const RagMessage *message, Oid nspoid);

/*
 * Checks that the table has the optional columns of the mask: 0A000 where it is
 * of an earlier version.
 */
extern void rag_check_columns(int optional, Oid nspoid);

#endif /* RAG_MESSAGE_H */
