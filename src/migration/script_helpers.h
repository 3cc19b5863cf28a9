/*
 * migration/script_helpers.h
 *		Helpers of the extension's own scripts.
 */
#ifndef RAG_SCRIPT_HELPERS_H
#define RAG_SCRIPT_HELPERS_H

#include "base/compat.h"

/* rag_events.allow_data_loss: may a step down drop columns that hold values? */
extern bool rag_allow_data_loss;

/* Raises 42501 unless a script of this extension is running. */
extern void rag_require_script(void);

/* Raises 42501 unless the role may create objects in the schema. */
extern void rag_require_create(Oid roleid, Oid nspoid);

/*
 * Takes ACCESS EXCLUSIVE locks on both tables, which have these names in the schema.
 * Writers may lock them in either order, and there is no deadlock with any of them.
 * Raises 55P03 if after many attempts there was always a writer between the two
 * locks; 40001 if other tables have the names by then.
 */
extern void rag_lock_both(Oid nspoid, Oid sessions, Oid messages);

#endif /* RAG_SCRIPT_HELPERS_H */
