/*
 * base/error.h
 *		What the errors of several functions share.
 */
#ifndef RAG_ERROR_H
#define RAG_ERROR_H

#include "base/compat.h"

#include "utils/uuid.h"

/*
 * For use within ereport(): sets the schema and table fields of the error, and
 * the column and constraint fields unless NULL.
 */
extern int rag_errtable(Oid nspoid, const char *table, const char *column,
						const char *constraint);

/*
 * The beginning of the message of an error in an element of an array: "message 3: "
 * for the third, nothing for 0.
 */
extern const char *rag_element(int element);

/*
 * Raises 22004: the argument for a column that must have a value is NULL.
 */
pg_noreturn extern void rag_error_null(Oid nspoid, const char *table,
									   const char *column, int element);

/*
 * Raises 23503: the session does not exist, or is not the given user's. Both
 * give the same error, so that nobody learns of another user's sessions.
 */
pg_noreturn extern void rag_error_no_session(Oid nspoid,
											 const pg_uuid_t *session_id);

/*
 * Raises 23503: the session has no message with this id.
 */
pg_noreturn extern void rag_error_no_message(Oid nspoid, int64 message_id);

/*
 * Raises 27000: a trigger or a rule of the user discarded the row, or its
 * change.
 */
pg_noreturn extern void rag_error_discarded(Oid nspoid, const char *table);

/*
 * Raises 22023 if the argument, which is a maximum with this name, is negative. NULL
 * means all, and 0 means none.
 */
extern void rag_check_max(FunctionCallInfo fcinfo, int arg, const char *name);

/*
 * May an error repeat key values of the table? Not if row security applies to the
 * caller, who could then learn of rows that are hidden from them.
 */
extern bool rag_may_show_keys(Oid nspoid, const char *table);

/*
 * Raises 25001 if the transaction, which may wait for others, would not see what they
 * did: that of an isolation level above READ COMMITTED.
 */
extern void rag_require_read_committed(const char *what);

/*
 * Raises 25006 in a read-only transaction and on a standby, and 25000 where the function
 * was called by one that is marked PARALLEL SAFE by mistake.
 */
extern void rag_check_may_write(const char *function);

#endif /* RAG_ERROR_H */
