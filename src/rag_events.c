/*
 * rag_events.c
 *		The library itself: magic block.
 */
#include "compat.h"

RAG_MODULE_MAGIC("rag_events", RAG_EVENTS_VERSION);
