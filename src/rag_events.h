/*
 * rag_events.h
 *		The library's settings.
 */
#ifndef RAG_EVENTS_H
#define RAG_EVENTS_H

#include "base/compat.h"

/* rag_events.allow_data_loss: may a step down drop columns that hold values? */
extern bool rag_allow_data_loss;

#endif /* RAG_EVENTS_H */
