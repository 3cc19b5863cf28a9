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

#endif /* RAG_SCRIPT_HELPERS_H */
