/*
 * rag_events.c
 *		The library itself: magic block and settings.
 */
#include "base/compat.h"

#include "utils/guc.h"

#include "migration/script_helpers.h"

RAG_MODULE_MAGIC("rag_events", RAG_EVENTS_VERSION);

void _PG_init(void);

void
_PG_init(void)
{
	DefineCustomBoolVariable("rag_events.allow_data_loss",
							 "Allows steps down to an older version that lose data.",
							 NULL,
							 &rag_allow_data_loss,
							 false,
							 PGC_USERSET,
							 0,
							 NULL, NULL, NULL);
	MarkGUCPrefixReserved("rag_events");
}
