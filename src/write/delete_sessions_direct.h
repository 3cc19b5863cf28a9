/*
 * write/delete_sessions_direct.h
 *		Deleting many sessions with their messages without a DELETE, where that makes no
 *		difference.
 */
#ifndef RAG_DELETE_SESSIONS_DIRECT_H
#define RAG_DELETE_SESSIONS_DIRECT_H

#include "base/compat.h"

/*
 * Deletes the sessions with these ids, which are locked, and their messages, adds their
 * numbers to *sessions and *messages, and returns true. Returns false if only statements
 * can do it: a table is not plain for the caller, or somebody else has just changed a
 * message. What was counted by then is deleted; the statements find the rest.
 */
extern bool rag_delete_sessions_directly(Oid nspoid, const Datum *ids, int n,
										 int64 *sessions, int64 *messages);

#endif /* RAG_DELETE_SESSIONS_DIRECT_H */
