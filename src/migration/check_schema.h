/*
 * migration/check_schema.h
 *		What differs between the database and what a version of the extension
 *		should have made of it.
 */
#ifndef RAG_CHECK_SCHEMA_H
#define RAG_CHECK_SCHEMA_H

#include "base/compat.h"

/*
 * Compares the schema with the expected objects of the version and runs select
 * over the results: the CTEs missing, unowned, changed, extra and warning of
 * schema_differences.sql, local, required, kept and keeper of schema_local.sql, renames
 * and unadoptable of schema_adoption.sql. Rows are
 * in SPI_tuptable, their number is returned. The caller is connected to SPI, and
 * the settings are those that schema_objects.sql names.
 */
extern uint64 rag_compare_schema(const char *version, Oid nspoid,
								 const char *select);

#endif /* RAG_CHECK_SCHEMA_H */
