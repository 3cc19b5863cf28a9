/*
 * write/insert_facts.c
 *		May messages be stored without an INSERT?
 *
 *		They may if storing the row and its index entries is all that INSERT would do:
 *		there are no triggers, rules or defaults other than null and the current time;
 *		and if a message that was checked, with its session locked, cannot violate any
 *		constraint or key of the table. base/table_facts.h has the contract.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_index.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "base/distributed.h"
#include "base/table_facts.h"
#include "message/message.h"
#include "write/insert_facts.h"

typedef struct Tables
{
	Relation messages;
	Relation sessions;
} Tables;

static RagInsertFacts kept[RAG_FACTS_PLACES];
static RagInsertFacts *facts = kept; /* of the table that is in use */

/* ------------------------------------------------------------------------
 *		Triggers, rules, partitions
 * ------------------------------------------------------------------------
 */

/*
 * Is it the trigger of the foreign key messages.session_id -> sessions.id, as we made
 * it? keys are the foreign keys of the table.
 */
static bool
is_our_key_check(const Tables *tables, const Trigger *trigger, const List *keys)
{
	ListCell *lc;

	if (RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_FK ||
		trigger->tgenabled != TRIGGER_FIRES_ON_ORIGIN || trigger->tgdeferrable)
		return false;
	foreach (lc, keys)
	{
		ForeignKeyCacheInfo *key = lfirst_node(ForeignKeyCacheInfo, lc);

		if (key->conoid == trigger->tgconstraint)
			return key->confrelid == RelationGetRelid(tables->sessions) &&
				key->nkeys == 1 &&
				key->conkey[0] == get_attnum(RelationGetRelid(tables->messages), "session_id") &&
				key->confkey[0] == get_attnum(key->confrelid, "id");
	}
	return false;
}

/*
 * No trigger fires on INSERT except the check of our own foreign key. Catalog reads
 * process invalidations, and a concurrent GRANT can rebuild the relation's lists while
 * they are in use: hence the copies.
 */
static bool
has_plain_triggers(const Tables *tables)
{
	TriggerDesc *triggers = CopyTriggerDesc(tables->messages->trigdesc);
	List *keys = copyObject(RelationGetFKeyList(tables->messages));

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) &&
			!is_our_key_check(tables, trigger, keys))
			return false;
	}
	return true;
}

/*
 * A trigger of the user could delete the session that was locked. And a session in a
 * table that inherits from sessions does not satisfy the foreign key.
 */
static bool
has_plain_sessions(const Tables *tables)
{
	TriggerDesc *triggers = tables->sessions->trigdesc;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		if (!triggers->triggers[i].tgisinternal)
			return false;
	}
	return rag_table_obstacle(tables->sessions) == NULL;
}

/* Why no row can be stored directly in this table, or NULL. */
static const char *
obstacle_of_table(const Tables *tables)
{
	Relation rel = tables->messages;
	TupleConstr *constr = RelationGetDescr(rel)->constr;

	const char *obstacle = rag_table_obstacle(rel);

	if (obstacle)
		return obstacle;
	if (constr && rag_has_generated_columns(constr))
		return "generated columns";
	if (!has_plain_triggers(tables))
		return "triggers or deferrable constraints";
	if (!has_plain_sessions(tables))
		return "triggers, rules or inheritance of sessions";
	if (rag_writing_runs_user_code(rel) || rag_writing_runs_user_code(tables->sessions))
		return "code of users in constraints or indexes";
	return NULL;
}

/* ------------------------------------------------------------------------
 *		Columns
 * ------------------------------------------------------------------------
 */

/* Is the default of created_at CURRENT_TIMESTAMP, as a local time? */
static bool
created_at_is_now(Relation rel)
{
	AttrNumber attnum = get_attnum(RelationGetRelid(rel), "created_at");
	Node *node = attnum > 0 ? build_column_default(rel, attnum) : NULL;

	if (node && IsA(node, FuncExpr) &&
		((FuncExpr *) node)->funcid == F_TIMESTAMP_TIMESTAMPTZ)
		node = linitial(((FuncExpr *) node)->args);
	return node && IsA(node, SQLValueFunction) &&
		((SQLValueFunction *) node)->op == SVFOP_CURRENT_TIMESTAMP;
}

static int
column_of_attribute(Form_pg_attribute attr)
{
	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if (strcmp(NameStr(attr->attname), rag_columns[col].name) == 0)
			return col;
	}
	return RAG_NO_COLUMN;
}

/* Is the attribute null in a row that has no value for it? */
static bool
is_null_by_default(Form_pg_attribute attr)
{
	return !attr->atthasdef && attr->attidentity == '\0' &&
		get_typtype(attr->atttypid) != TYPTYPE_DOMAIN &&
		get_typdefault(attr->atttypid) == NULL;
}

/*
 * Notes which column the attribute is. Returns false if no message can be stored
 * directly because of it.
 */
static bool
note_column(RagColumn col, Form_pg_attribute attr, bool time_is_now)
{
	bool can_be_given = rag_column_has_type(col, attr->atttypid, attr->atttypmod) &&
		attr->attidentity != ATTRIBUTE_IDENTITY_ALWAYS;
	bool is_null = is_null_by_default(attr);
	bool can_be_omitted = col == COL_CREATED_AT ? time_is_now && can_be_given : is_null;

	facts->columns[attr->attnum - 1] = col;
	facts->attributes[col] = attr->attnum - 1;
	if (col < COL_FIRST_OPTIONAL)
		return can_be_given;
	if (can_be_given)
		facts->can_be_given |= RAG_COLUMN_BIT(col);
	if (!can_be_omitted)
		facts->can_be_omitted &= ~RAG_COLUMN_BIT(col);
	if (!is_null)
		facts->null_by_default &= ~RAG_COLUMN_BIT(col);
	return true;
}

/*
 * Does every column that gets a value have the type of the value, and is every other
 * column null by default?
 */
static bool
has_plain_columns(Relation rel)
{
	TupleDesc desc = RelationGetDescr(rel);
	bool time_is_now = created_at_is_now(rel);
	bool plain = true;

	facts->can_be_given = 0;
	facts->can_be_omitted = RAG_ALL_OPTIONAL;
	facts->null_by_default = RAG_ALL_OPTIONAL;
	for (int col = 0; col < RAG_NCOLUMNS; col++)
		facts->attributes[col] = RAG_NO_COLUMN;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		int col = attr->attisdropped ? RAG_NO_COLUMN : column_of_attribute(attr);

		facts->columns[i] = RAG_NO_COLUMN;
		if (attr->attisdropped)
			continue;
		plain &= col == RAG_NO_COLUMN ? is_null_by_default(attr) :
										note_column(col, attr, time_is_now);
	}
	for (int col = 0; col < COL_FIRST_OPTIONAL; col++)
		plain &= facts->attributes[col] != RAG_NO_COLUMN;
	facts->id_is_int4 = plain &&
		TupleDescAttr(desc, facts->attributes[COL_ID])->atttypid == INT4OID;
	return plain;
}

/* ------------------------------------------------------------------------
 *		Constraints
 * ------------------------------------------------------------------------
 */

/* Is it role = ANY (ARRAY['user', 'assistant']) of pg_catalog's text? */
static bool
is_role_check(Node *node, AttrNumber role)
{
	ScalarArrayOpExpr *any = (ScalarArrayOpExpr *) node;
	Node *column;
	int found = 0;
	ListCell *lc;

	if (!IsA(node, ScalarArrayOpExpr) || any->opno != TextEqualOperator ||
		!any->useOr || !IsA(lsecond(any->args), ArrayExpr))
		return false;
	column = strip_implicit_coercions(linitial(any->args));
	if (IsA(column, RelabelType))
		column = (Node *) ((RelabelType *) column)->arg;
	if (!IsA(column, Var) || ((Var *) column)->varattno != role)
		return false;
	foreach (lc, ((ArrayExpr *) lsecond(any->args))->elements)
	{
		Const *element = lfirst(lc);
		char *value;

		if (!IsA(element, Const) || element->consttype != TEXTOID || element->constisnull)
			return false;
		value = TextDatumGetCString(element->constvalue);
		found |= strcmp(value, "user") == 0 ? 1 : strcmp(value, "assistant") == 0 ? 2 :
																					0;
	}
	return found == 3;
}

bool
rag_checks_hold(Relation rel)
{
	const TupleConstr *constr = RelationGetDescr(rel)->constr;
	AttrNumber role = get_attnum(RelationGetRelid(rel), "role");

	for (int i = 0; constr && i < constr->num_check; i++)
	{
		if (!is_role_check(stringToNode(constr->check[i].ccbin), role))
			return false;
	}
	return true;
}

/*
 * Do the table's constraints say no more than what every message was checked for?
 * Then they need not be executed: reading the CHECK's nodes alone costs more than
 * storing the row.
 */
static bool
constraints_hold(Relation rel)
{
	TupleDesc desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		int col;

		if (!attr->attnotnull || attr->attisdropped)
			continue;
		col = column_of_attribute(attr);
		if (col == RAG_NO_COLUMN ||
			(rag_columns[col].may & (RAG_REQUIRED | RAG_FILLED_IN)) == 0)
			return false;
	}
	return rag_checks_hold(rel);
}

/* ------------------------------------------------------------------------
 *		Indexes
 * ------------------------------------------------------------------------
 */

/*
 * A predicate is plain if it is "column IS NOT NULL", for one of the columns that few
 * messages have.
 */
static bool
has_plain_predicate(Relation rel, RagIndex *index)
{
	List *predicate = RelationGetIndexPredicate(rel);
	NullTest *test = predicate ? linitial(predicate) : NULL;
	Var *var;
	int col;

	index->only_with = 0;
	if (test == NULL)
		return true;
	if (list_length(predicate) != 1 || !IsA(test, NullTest) ||
		test->nulltesttype != IS_NOT_NULL || !IsA(test->arg, Var))
		return false;
	var = (Var *) test->arg;
	col = var->varattno > 0 ? facts->columns[var->varattno - 1] : RAG_NO_COLUMN;
	if (col < COL_FIRST_OPTIONAL || col == COL_CREATED_AT)
		return false;
	index->only_with = RAG_COLUMN_BIT(col);
	index->attribute = var->varattno;
	return true;
}

static bool
note_index(Oid oid)
{
	RagIndex *index = &facts->indexes[facts->nindexes++];
	Relation rel = index_open(oid, AccessShareLock);
	bool plain = !rel->rd_index->indisexclusion && rel->rd_index->indimmediate &&
		RelationGetIndexExpressions(rel) == NIL && has_plain_predicate(rel, index);

	index->oid = oid;
	index_close(rel, AccessShareLock);
	return plain;
}

static bool
has_plain_indexes(Relation rel)
{
	List *oids = RelationGetIndexList(rel);
	bool plain = list_length(oids) <= RAG_MAX_INDEXES;
	ListCell *lc;

	facts->nindexes = 0;
	foreach (lc, oids)
		plain = plain && note_index(lfirst_oid(lc));
	list_free(oids);
	return plain;
}

/* ------------------------------------------------------------------------
 *		The facts
 * ------------------------------------------------------------------------
 */

static void
find_facts(const Tables *tables)
{
	rag_begin_facts(&facts->tables, RelationGetRelid(tables->messages),
					RelationGetRelid(tables->sessions));
	facts->obstacle = obstacle_of_table(tables);
	facts->columns_plain = has_plain_columns(tables->messages);
	facts->constraints_hold = constraints_hold(tables->messages);
	facts->indexes_plain = facts->columns_plain && has_plain_indexes(tables->messages);
	rag_end_facts(&facts->tables);
}

const RagInsertFacts *
rag_insert_facts(Relation messages, const pg_uuid_t *session_id, Oid nspoid)
{
	facts = &kept[rag_place_of_facts(RelationGetRelid(messages))];
	if (!rag_facts_hold(&facts->tables, RelationGetRelid(messages)))
	{
		Tables tables = {messages,
						 rag_open_table_of(session_id, RAG_SESSIONS, nspoid,
										   AccessShareLock)};

		find_facts(&tables);
		table_close(tables.sessions, NoLock);
	}
	return facts;
}

/* ------------------------------------------------------------------------
 *		The caller
 * ------------------------------------------------------------------------
 */

const char *
rag_insert_obstacle(Relation messages, const RagInsertFacts *table, int given,
					int omitted)
{
	const char *reason = table->obstacle;

	if (reason == NULL)
		reason = rag_caller_obstacle(messages, ACL_INSERT);
	if (reason == NULL &&
		(!table->columns_plain || (given & ~table->can_be_given) != 0 ||
		 (omitted & ~table->can_be_omitted) != 0))
		reason = "types or defaults of columns";
	return reason;
}
