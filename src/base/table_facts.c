/*
 * base/table_facts.c
 *		What every shortcut needs to know of a table.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/transam.h"
#include "catalog/pg_am_d.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "base/citus.h"
#include "base/table_facts.h"

static RagTableFacts *all_facts = NULL;

/* Somebody has changed the table: any table, if relid is InvalidOid. */
static void
forget_facts(Datum arg pg_attribute_unused(), Oid relid)
{
	for (RagTableFacts *facts = all_facts; facts; facts = facts->next)
	{
		if (relid == InvalidOid || relid == facts->table || relid == facts->other)
		{
			facts->hold = false;
			facts->changed = true;
		}
	}
}

static void
watch(RagTableFacts *facts)
{
	if (facts->watched)
		return;
	if (all_facts == NULL)
		CacheRegisterRelcacheCallback(forget_facts, (Datum) 0);
	facts->next = all_facts;
	all_facts = facts;
	facts->watched = true;
}

void
rag_begin_facts(RagTableFacts *facts, Oid table, Oid other)
{
	watch(facts);
	facts->table = table;
	facts->other = other;
	facts->hold = false;
	facts->changed = false;
}

void
rag_end_facts(RagTableFacts *facts)
{
	facts->hold = !facts->changed;
}

/* Extensions like pgaudit watch the check of rights. */
const char *
rag_caller_obstacle(Relation rel, AclMode rights)
{
	Oid relid = RelationGetRelid(rel);

	if (SessionReplicationRole != SESSION_REPLICATION_ROLE_ORIGIN)
		return "session_replication_role";
	if (pg_class_aclmask(relid, GetUserId(), rights, ACLMASK_ALL) != rights)
		return "rights on columns";
	if (rag_namespace_aclcheck(RelationGetNamespace(rel), GetUserId(), ACL_USAGE) !=
		ACLCHECK_OK)
		return "rights on the schema";
	if (ExecutorCheckPerms_hook != NULL)
		return "a hook that checks rights";
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		return "row security";
	return NULL;
}

bool
rag_may_read(Oid table, AttrNumber attnum)
{
	return pg_attribute_aclcheck(table, attnum, GetUserId(), ACL_SELECT) ==
		ACLCHECK_OK ||
		pg_class_aclcheck(table, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

const char *
rag_table_obstacle(Relation rel)
{
	if (rel->rd_rel->relkind != RELKIND_RELATION ||
		rel->rd_rel->relam != HEAP_TABLE_AM_OID)
		return "the kind of the table";
	if (rel->rd_rel->relispartition || rel->rd_rel->relhassubclass)
		return "partitions or inheritance";
	if (rel->rd_rules != NULL)
		return "rules";
	if (rag_citus_has_table(RelationGetRelid(rel)))
		return "citus";
	return NULL;
}

/* ------------------------------------------------------------------------
 *		Code of users
 * ------------------------------------------------------------------------
 */

/* Was the object created after initdb? */
static bool
is_users(Oid oid)
{
	return oid >= FirstUnpinnedObjectId;
}

static bool
is_users_function(Oid funcid, void *context pg_attribute_unused())
{
	return is_users(funcid);
}

/*
 * A function of PostgreSQL can call a function of the user if a value has a type of
 * the user, as the comparison of arrays does.
 */
static bool
has_user_code(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (check_functions_in_node(node, is_users_function, context))
		return true;
	switch (nodeTag(node))
	{
		case T_CoerceToDomain:
			return true;
		case T_Var:
		case T_Const:
		case T_CoerceViaIO:
		case T_RelabelType:
			if (is_users(exprType(node)))
				return true;
			break;
		default:
			break;
	}
	return expression_tree_walker(node, has_user_code, context);
}

static bool
may_run_user_code(Node *expression)
{
	return contain_mutable_functions(expression) || has_user_code(expression, NULL);
}

static bool
index_runs_user_code(Oid oid)
{
	Relation index = index_open(oid, AccessShareLock);
	bool result = may_run_user_code((Node *) RelationGetIndexExpressions(index)) ||
		may_run_user_code((Node *) RelationGetIndexPredicate(index));

	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
		result = result || is_users(index->rd_opfamily[i]);
	index_close(index, AccessShareLock);
	return result;
}

bool
rag_writing_runs_user_code(Relation rel)
{
	const TupleConstr *constr = RelationGetDescr(rel)->constr;
	List *indexes = RelationGetIndexList(rel);
	bool result = constr && rag_has_generated_columns(constr);
	ListCell *lc;

	for (int i = 0; constr && i < constr->num_check; i++)
		result = result || may_run_user_code(stringToNode(constr->check[i].ccbin));
	foreach (lc, indexes)
		result = result || index_runs_user_code(lfirst_oid(lc));
	list_free(indexes);
	return result;
}
