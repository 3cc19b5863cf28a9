/*
 * base/update_row.h
 *		Updating a row without the executor, for shortcuts.
 */
#ifndef RAG_UPDATE_ROW_H
#define RAG_UPDATE_ROW_H

#include "base/compat.h"

#include "access/htup.h"
#include "utils/relcache.h"
#include "utils/reltrigger.h"

/*
 * Have these triggers nothing to do when a row is updated that keeps its keys? Those of
 * foreign keys that reference the table have not. Those of the table's own foreign keys
 * count as harmless only with own_keys: the row must then not be one that this
 * transaction has inserted, because the check of its insertion may still be to come.
 */
extern bool rag_update_triggers_are_harmless(const TriggerDesc *triggers, bool own_keys);

/*
 * Stores a new version of a row: row->t_self is the place of the old one. Waits for
 * whoever is writing to the row. Returns false, with nothing done, if the row was changed
 * by them.
 */
extern bool rag_update_row(Relation rel, HeapTuple row);

#endif /* RAG_UPDATE_ROW_H */
