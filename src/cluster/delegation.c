/*
 * cluster/delegation.c
 *		What Citus must not see of calls that it sends to other nodes.
 */
#include "base/compat.h"

#include "catalog/pg_proc.h"
#include "catalog/pg_type_d.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/citus.h"

/*
 * rag_no_session() returns uuid
 *
 * NULL, but not as a constant. A part of rag_delegation_support(). Since 1.5.
 */
PG_FUNCTION_INFO_V1(rag_no_session);
Datum
rag_no_session(PG_FUNCTION_ARGS)
{
	PG_RETURN_NULL();
}

static bool
is_null_constant(const Node *node)
{
	return IsA(node, Const) && ((const Const *) node)->constisnull;
}

static Oid
no_session_function(Oid nspoid)
{
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
						   CStringGetDatum("rag_no_session"),
						   PointerGetDatum(buildoidvector(NULL, 0)),
						   ObjectIdGetDatum(nspoid));
}

/*
 * rag_delegation_support(internal) returns internal
 *
 * Citus sends a call whose session is a constant to that session's node. It takes NULL
 * for such a constant (up to 13.2 at least), and the server dies of it. So NULL is
 * replaced by a call that gives it when the function is executed, which then raises
 * 22004. Since 1.5.
 */
PG_FUNCTION_INFO_V1(rag_delegation_support);
Datum
rag_delegation_support(PG_FUNCTION_ARGS)
{
	SupportRequestSimplify *request = (SupportRequestSimplify *) PG_GETARG_POINTER(0);
	FuncExpr *call;
	Oid function;

	if (!IsA(request, SupportRequestSimplify) || !rag_citus_is_loaded() ||
		!is_null_constant(linitial(request->fcall->args)))
		PG_RETURN_POINTER(NULL);
	function = no_session_function(get_func_namespace(request->fcall->funcid));
	if (!OidIsValid(function))
		PG_RETURN_POINTER(NULL);
	call = copyObject(request->fcall);
	linitial(call->args) = makeFuncExpr(function, UUIDOID, NIL, InvalidOid, InvalidOid,
										COERCE_EXPLICIT_CALL);
	PG_RETURN_POINTER(call);
}
