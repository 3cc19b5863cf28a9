/*
 * read.h
 *		What the functions that read conversations share.
 */
#ifndef RAG_READ_H
#define RAG_READ_H

#include "compat.h"

#include "plan.h"

/*
 * Raises 22023 when the argument, a maximum by that name, is negative. NULL means
 * all, 0 none.
 */
extern void rag_check_max(FunctionCallInfo fcinfo, int arg, const char *name);

/*
 * Begins a function that reads a session: checks that session_id, its first
 * argument, is not NULL (22004) and that the session is there and, unless NULL, the
 * user's (23503). Sets the function up to return rows in rsinfo->setResult, and
 * connects to SPI. Returns the schema of the extension.
 */
extern Oid rag_begin_reading(FunctionCallInfo fcinfo, int user_id_arg);

/* Returns the rows of a SELECT as those of the function that is set up for it. */
extern void rag_return_rows(FunctionCallInfo fcinfo, const RagStatement *statement,
							Oid nspoid, const Datum *values, const char *nulls);

#endif /* RAG_READ_H */
