/*
 * base/schema.c
 *		The schema that the extension is in, and its tables and sequences.
 */
#include "base/compat.h"

#include "utils/lsyscache.h"

#include "base/schema.h"

Oid
rag_namespace(FunctionCallInfo fcinfo)
{
	Oid nspoid = get_func_namespace(fcinfo->flinfo->fn_oid);

	if (!OidIsValid(nspoid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u does not exist", fcinfo->flinfo->fn_oid)));
	return nspoid;
}

const char *
rag_namespace_name(Oid nspoid)
{
	const char *name = get_namespace_name(nspoid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("schema with OID %u does not exist", nspoid)));
	return name;
}

Oid
rag_relation(const char *name, Oid nspoid)
{
	Oid relid = get_relname_relid(name, nspoid);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" does not exist",
						rag_namespace_name(nspoid), name)));
	return relid;
}
