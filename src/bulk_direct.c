/*
 * bulk_direct.c
 *		Inserting messages without an INSERT, where that makes no difference.
 *
 *		What an INSERT does beyond storing rows and index entries is either done
 *		here (privileges, NOT NULL and CHECK constraints, unique and exclusion
 *		constraints, the default of created_at), or is a reason not to go this way
 *		(row security, rules, triggers, generated columns, ...). The one thing left
 *		out is the check of our own foreign key: the caller holds the session's lock.
 */
#include "compat.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_relation.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/timestamp.h"
#include "utils/snapmgr.h"

#include "bulk_direct.h"
#include "plan.h"

/* Rows that are stored at once. */
#define CHUNK_ROWS 1000

/* Where a column of the table gets its value from. */
#define NO_COLUMN (-1)

typedef struct Target
{
	Relation rel;
	Relation sessions;
	int columns[MaxHeapAttributeNumber]; /* by attribute: RagColumn, NO_COLUMN */
	bool created_at_is_now;				 /* created_at gets its default */
	bool id_is_int4;
	bool constraints_hold; /* a checked message keeps them all */
} Target;

/*
 * What follows from the definitions of the tables alone. It is found out once, and
 * again when either table has changed.
 */
static struct
{
	bool valid;
	bool changed; /* a table was changed while they were found out */
	Oid messages;
	Oid sessions;
	const char *obstacle;	/* why rows cannot be stored directly, or NULL */
	bool created_at_is_now; /* its default is CURRENT_TIMESTAMP */
	bool constraints_hold;	/* a checked message keeps them all */
} facts;

/* ------------------------------------------------------------------------
 *		Is the table plain for the caller?
 * ------------------------------------------------------------------------
 */

/* Is it the trigger of messages.session_id -> sessions.id, as we made it? */
static bool
is_our_key_check(const Target *target, const Trigger *trigger)
{
	ListCell *lc;

	if (RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_FK ||
		trigger->tgenabled != TRIGGER_FIRES_ON_ORIGIN || trigger->tgdeferrable)
		return false;
	foreach (lc, RelationGetFKeyList(target->rel))
	{
		ForeignKeyCacheInfo *key = lfirst_node(ForeignKeyCacheInfo, lc);

		if (key->conoid == trigger->tgconstraint)
			return key->confrelid == RelationGetRelid(target->sessions) &&
				key->nkeys == 1 &&
				key->conkey[0] == get_attnum(RelationGetRelid(target->rel), "session_id") &&
				key->confkey[0] == get_attnum(key->confrelid, "id");
	}
	return false;
}

/* No trigger fires on INSERT but the check of our own foreign key. */
static bool
has_plain_triggers(const Target *target)
{
	TriggerDesc *triggers = target->rel->trigdesc;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) && !is_our_key_check(target, trigger))
			return false;
	}
	return true;
}

/*
 * A trigger of the user could change what the lock of the session stands for; and a
 * session of a table that inherits from sessions is none for the key's check.
 */
static bool
has_plain_sessions(const Target *target)
{
	TriggerDesc *triggers = target->sessions->trigdesc;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		if (!triggers->triggers[i].tgisinternal)
			return false;
	}
	return target->sessions->rd_rules == NULL &&
		target->sessions->rd_rel->relkind == RELKIND_RELATION &&
		!target->sessions->rd_rel->relhassubclass;
}

static bool
has_type(Form_pg_attribute attr, RagColumn col)
{
	Oid type = attr->atttypid;

	if (attr->atttypmod != -1)
		return false;
	if (type == rag_columns[col].type)
		return true;
	return (type == VARCHAROID && rag_columns[col].type == TEXTOID) ||
		(type == INT4OID && col == COL_ID);
}

static int
column_of_attribute(Form_pg_attribute attr, int optional)
{
	for (int col = 0; col < RAG_NCOLUMNS; col++)
	{
		if (col >= COL_FIRST_OPTIONAL && (optional & RAG_COLUMN_BIT(col)) == 0)
			continue;
		if (strcmp(NameStr(attr->attname), rag_columns[col].name) == 0)
			return col;
	}
	return NO_COLUMN;
}

/*
 * Every column that gets a value has the type that the value has; every other is
 * simply null. Fills target->columns.
 */
static bool
has_plain_columns(Target *target, int optional)
{
	TupleDesc desc = RelationGetDescr(target->rel);
	int found = 0;
	int expected = COL_FIRST_OPTIONAL;

	for (int col = COL_FIRST_OPTIONAL; col < RAG_NCOLUMNS; col++)
		expected += (optional & RAG_COLUMN_BIT(col)) != 0;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		target->columns[i] = NO_COLUMN;
		if (attr->attisdropped)
			continue;
		target->columns[i] = column_of_attribute(attr, optional);
		if (target->columns[i] != NO_COLUMN)
		{
			if (!has_type(attr, target->columns[i]) ||
				attr->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
				return false;
			if (target->columns[i] == COL_ID)
				target->id_is_int4 = attr->atttypid == INT4OID;
			found++;
		}
		else if (strcmp(NameStr(attr->attname), "created_at") == 0)
		{
			if (!facts.created_at_is_now || !has_type(attr, COL_CREATED_AT))
				return false;
			target->created_at_is_now = true;
			target->columns[i] = COL_CREATED_AT;
		}
		else if (attr->atthasdef || attr->attidentity != '\0' ||
				 get_typtype(attr->atttypid) == TYPTYPE_DOMAIN ||
				 get_typdefault(attr->atttypid) != NULL)
			return false;
	}
	return found == expected;
}

/* Why the rows of the table, as it is, cannot be stored directly; or NULL. */
static const char *
obstacle_of_table(const Target *target)
{
	Relation rel = target->rel;
	TupleConstr *constr = RelationGetDescr(rel)->constr;

	if (rel->rd_rel->relkind != RELKIND_RELATION)
		return "the kind of the table";
	if (rel->rd_rel->relispartition || rel->rd_rel->relhassubclass)
		return "partitions or inheritance";
	if (rel->rd_rules != NULL)
		return "rules";
	if (constr && rag_has_generated_columns(constr))
		return "generated columns";
	if (!has_plain_triggers(target))
		return "triggers or deferrable constraints";
	if (!has_plain_sessions(target))
		return "triggers, rules or inheritance of sessions";
	return NULL;
}

/* It has to be preloaded, and then it has this setting. */
static bool
citus_is_loaded(void)
{
	return GetConfigOption("citus.shard_count", true, false) != NULL;
}

/* Extensions like pgaudit watch the check of rights. */
const char *
rag_obstacle_of_caller(Relation rel, AclMode rights)
{
	Oid relid = RelationGetRelid(rel);

	if (SessionReplicationRole != SESSION_REPLICATION_ROLE_ORIGIN)
		return "session_replication_role";
	if (citus_is_loaded() && OidIsValid(get_extension_oid("citus", true)))
		return "citus";
	if (pg_class_aclmask(relid, GetUserId(), rights, ACLMASK_ALL) != rights)
		return "rights on columns";
	if (ExecutorCheckPerms_hook != NULL)
		return "a hook that checks rights";
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		return "row security";
	return NULL;
}

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

/*
 * Do the table's constraints say no more than what every message was checked for?
 * Then they need not be executed: reading the CHECK's nodes alone costs more than
 * storing the row.
 */
static bool
constraints_hold(Relation rel)
{
	static const RagColumn never_null[] = {COL_ID, COL_SESSION_ID, COL_ROLE,
										   COL_CONTENT, COL_CREATED_AT};
	TupleDesc desc = RelationGetDescr(rel);
	TupleConstr *constr = desc->constr;
	AttrNumber role = get_attnum(RelationGetRelid(rel), "role");

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		bool known = !attr->attnotnull || attr->attisdropped;

		for (int j = 0; j < (int) lengthof(never_null); j++)
			known |= strcmp(NameStr(attr->attname), rag_columns[never_null[j]].name) == 0;
		if (!known)
			return false;
	}
	for (int i = 0; constr && i < constr->num_check; i++)
	{
		if (!is_role_check(stringToNode(constr->check[i].ccbin), role))
			return false;
	}
	return true;
}

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

static void
forget_facts(Datum arg pg_attribute_unused(), Oid relid)
{
	if (relid != InvalidOid && relid != facts.messages && relid != facts.sessions)
		return;
	facts.valid = false;
	facts.changed = true;
}

static void
find_facts(const Target *target)
{
	static bool registered = false;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(forget_facts, (Datum) 0);
		registered = true;
	}
	facts.valid = false;
	facts.changed = false;
	facts.messages = RelationGetRelid(target->rel);
	facts.sessions = RelationGetRelid(target->sessions);
	facts.obstacle = obstacle_of_table(target);
	facts.created_at_is_now = created_at_is_now(target->rel);
	facts.constraints_hold = constraints_hold(target->rel);

	/* After an error, or with a change meanwhile, they are found out again. */
	facts.valid = !facts.changed;
}

static const char *
obstacle(Target *target, int optional)
{
	const char *reason;

	if (!facts.valid || facts.messages != RelationGetRelid(target->rel) ||
		facts.sessions != RelationGetRelid(target->sessions))
		find_facts(target);
	target->constraints_hold = facts.constraints_hold;
	reason = facts.obstacle;
	if (reason == NULL)
		reason = rag_obstacle_of_caller(target->rel, ACL_INSERT);
	if (reason == NULL && !has_plain_columns(target, optional))
		reason = "types or defaults of columns";
	return reason;
}

/* ------------------------------------------------------------------------
 *		Storing rows
 * ------------------------------------------------------------------------
 */

static void
fill_slot(TupleTableSlot *slot, const Target *target, const RagMessage *message,
		  Datum now)
{
	ExecClearTuple(slot);
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		int col = target->columns[i];

		slot->tts_values[i] = col == NO_COLUMN ? (Datum) 0 : message->values[col];
		slot->tts_isnull[i] = col == NO_COLUMN ? true : message->isnull[col];
		if (col == COL_CREATED_AT && target->created_at_is_now)
		{
			slot->tts_values[i] = now;
			slot->tts_isnull[i] = false;
		}
		else if (col == COL_ID && target->id_is_int4)
			slot->tts_values[i] = DirectFunctionCall1(int84, message->values[col]);
	}
	ExecStoreVirtualTuple(slot);
}

/* As in COPY, what a chunk needs for its rows is freed before the next. */
static void
store_rows(ResultRelInfo *relinfo, EState *estate, TupleTableSlot **slots, int n)
{
	Relation rel = relinfo->ri_RelationDesc;
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));

	table_multi_insert(rel, slots, n, GetCurrentCommandId(true), 0, NULL);
	MemoryContextSwitchTo(old);
	for (int i = 0; i < n; i++)
	{
		if (relinfo->ri_NumIndices > 0)
			list_free(rag_insert_index_tuples(relinfo, slots[i], estate));
		ResetPerTupleExprContext(estate);
	}
}

/* The table as the target of an INSERT of its columns: errors show these. */
static ResultRelInfo *
open_result_relation(EState *estate, const Target *target)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	ResultRelInfo *relinfo = makeNode(ResultRelInfo);
	Bitmapset *inserted = NULL;
	List *infos = NIL;

	for (int i = 0; i < RelationGetNumberOfAttributes(target->rel); i++)
	{
		if (target->columns[i] != NO_COLUMN &&
			!(target->columns[i] == COL_CREATED_AT && target->created_at_is_now))
			inserted = bms_add_member(inserted,
									  i + 1 - FirstLowInvalidHeapAttributeNumber);
	}
	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(target->rel);
	rte->relkind = target->rel->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;
	rag_inserted_columns(rte, infos) = inserted;
	rag_init_range_table(estate, rte, infos);
	InitResultRelInfo(relinfo, target->rel, 1, NULL, 0);
	ExecOpenIndices(relinfo, false);
	return relinfo;
}

static void
insert_rows(const Target *target, RagMessage **messages, int n)
{
	EState *estate = CreateExecutorState();
	ResultRelInfo *relinfo = open_result_relation(estate, target);
	int nslots = Min(n, CHUNK_ROWS);
	TupleTableSlot **slots = palloc(sizeof(TupleTableSlot *) * nslots);
	Datum now = TimestampGetDatum(GetSQLLocalTimestamp(-1));
	int filled = 0;

	for (int i = 0; i < nslots; i++)
		slots[i] = table_slot_create(target->rel, NULL);

	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		fill_slot(slots[filled], target, messages[i], now);
		slots[filled]->tts_tableOid = RelationGetRelid(target->rel);
		if (!target->constraints_hold && RelationGetDescr(target->rel)->constr)
			ExecConstraints(relinfo, slots[filled], estate);
		if (++filled == nslots || i == n - 1)
		{
			store_rows(relinfo, estate, slots, filled);
			filled = 0;
		}
	}

	table_finish_bulk_insert(target->rel, 0);
	for (int i = 0; i < nslots; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	ExecCloseIndices(relinfo);
	FreeExecutorState(estate);
}

/*
 * Functions in defaults, constraints and indexes are to see what the transaction did
 * so far, the touch or the new session included, as in an INSERT.
 */
static void
insert_rows_with_snapshot(const Target *target, RagMessage **messages, int n)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	insert_rows(target, messages, n);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

bool
rag_insert_directly(RagMessage **messages, int n, int optional, Oid nspoid)
{
	Target target = {0};
	const char *reason;

	target.rel = table_open(rag_relation("messages", nspoid), RowExclusiveLock);
	target.sessions = table_open(rag_relation("sessions", nspoid), AccessShareLock);
	reason = obstacle(&target, optional);
	if (reason)
		ereport(DEBUG1,
				(errmsg_internal("messages are inserted by INSERT because of %s", reason)));
	else
	{
		ereport(DEBUG1, (errmsg_internal("messages are inserted directly")));
		insert_rows_with_snapshot(&target, messages, n);
	}
	table_close(target.sessions, NoLock);
	table_close(target.rel, NoLock);
	return reason == NULL;
}
