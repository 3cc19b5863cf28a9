/*
 * script.c
 *		Helpers of the extension's own scripts.
 *
 *		A script creates the SQL function for a helper, calls it and drops it
 *		again, so that none stays behind; and a helper refuses to run outside of
 *		a script. Under "trusted = true" PostgreSQL runs a script as a superuser
 *		for whoever owns the database.
 */
#include "compat.h"

#include "catalog/objectaddress.h"
#include "commands/extension.h"
#include "utils/lsyscache.h"

#include "plan.h"

static void
require_script(void)
{
	if (!creating_extension ||
		CurrentExtensionObject != get_extension_oid("rag_events", true))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("this function is for the scripts of rag_events only")));
}

/*
 * rag_check_install(owner regrole) returns void
 *
 * Raises 42501 unless the role that installs the extension may create objects
 * in its schema: a superuser runs the script, so no other check would.
 */
PG_FUNCTION_INFO_V1(rag_check_install);
Datum
rag_check_install(PG_FUNCTION_ARGS)
{
	Oid			nspoid = rag_namespace(fcinfo);
	AclResult	result;

	require_script();
	result = rag_namespace_aclcheck(nspoid, PG_GETARG_OID(0), ACL_CREATE);
	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_SCHEMA, get_namespace_name(nspoid));
	PG_RETURN_VOID();
}
