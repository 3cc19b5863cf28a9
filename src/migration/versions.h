/*
 * migration/versions.h
 *		The versions of the extension and their order.
 */
#ifndef RAG_VERSIONS_H
#define RAG_VERSIONS_H

#include "base/compat.h"

/* The version with the full script, which all others are steps away from. */
#define RAG_BASE_VERSION "1.0"

/*
 * The version that takes over the tables that a migration tool made. It has a
 * full script too, and a step to the base version; no step leads back to it.
 */
#define RAG_ADOPTION_VERSION "001_initial_schema"

#endif /* RAG_VERSIONS_H */
