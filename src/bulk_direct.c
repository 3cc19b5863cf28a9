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
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

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
	Node *created_at;					 /* default to be evaluated, or NULL */
	bool id_is_int4;
} Target;

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

/* A trigger of the user could change what the lock of the session stands for. */
static bool
has_plain_sessions(const Target *target)
{
	TriggerDesc *triggers = target->sessions->trigdesc;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		if (!triggers->triggers[i].tgisinternal)
			return false;
	}
	return target->sessions->rd_rules == NULL;
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

/* The default of created_at, once for all rows as CURRENT_TIMESTAMP is. */
static bool
has_plain_created_at(Target *target, AttrNumber attnum)
{
	target->created_at = build_column_default(target->rel, attnum);
	return target->created_at != NULL &&
		!contain_volatile_functions(target->created_at);
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
			if (!has_type(attr, target->columns[i]))
				return false;
			if (target->columns[i] == COL_ID)
				target->id_is_int4 = attr->atttypid == INT4OID;
			found++;
		}
		else if (strcmp(NameStr(attr->attname), "created_at") == 0)
		{
			if (!has_plain_created_at(target, attr->attnum))
				return false;
			target->columns[i] = COL_CREATED_AT;
		}
		else if (attr->atthasdef || attr->attidentity != '\0' ||
				 get_typtype(attr->atttypid) == TYPTYPE_DOMAIN)
			return false;
	}
	return found == expected;
}

static bool
is_plain(Target *target, int optional)
{
	Relation rel = target->rel;
	TupleConstr *constr = RelationGetDescr(rel)->constr;

	return rel->rd_rel->relkind == RELKIND_RELATION &&
		!rel->rd_rel->relispartition &&
		!rel->rd_rel->relhassubclass &&
		rel->rd_rules == NULL &&
		!(constr && rag_has_generated_columns(constr)) &&
		SessionReplicationRole == SESSION_REPLICATION_ROLE_ORIGIN &&
		pg_class_aclcheck(RelationGetRelid(rel), GetUserId(), ACL_INSERT) == ACLCHECK_OK &&
		check_enable_rls(RelationGetRelid(rel), InvalidOid, true) != RLS_ENABLED &&
		has_plain_triggers(target) &&
		has_plain_sessions(target) &&
		has_plain_columns(target, optional) &&
		!OidIsValid(get_extension_oid("citus", true));
}

/* ------------------------------------------------------------------------
 *		Storing rows
 * ------------------------------------------------------------------------
 */

static void
fill_slot(TupleTableSlot *slot, const Target *target, const RagMessage *message,
		  Datum created_at, bool created_at_isnull)
{
	ExecClearTuple(slot);
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		int col = target->columns[i];

		slot->tts_values[i] = col == NO_COLUMN ? (Datum) 0 : message->values[col];
		slot->tts_isnull[i] = col == NO_COLUMN ? true : message->isnull[col];
		if (col == COL_CREATED_AT && target->created_at)
		{
			slot->tts_values[i] = created_at;
			slot->tts_isnull[i] = created_at_isnull;
		}
		else if (col == COL_ID && target->id_is_int4)
			slot->tts_values[i] = DirectFunctionCall1(int84, message->values[col]);
	}
	ExecStoreVirtualTuple(slot);
}

static void
store_rows(ResultRelInfo *relinfo, EState *estate, TupleTableSlot **slots, int n)
{
	Relation rel = relinfo->ri_RelationDesc;

	table_multi_insert(rel, slots, n, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < n; i++)
	{
		if (relinfo->ri_NumIndices > 0)
			list_free(rag_insert_index_tuples(relinfo, slots[i], estate));
		ResetPerTupleExprContext(estate);
	}
}

static void
insert_rows(const Target *target, RagMessage **messages, int n)
{
	EState *estate = CreateExecutorState();
	ResultRelInfo *relinfo = makeNode(ResultRelInfo);
	int nslots = Min(n, CHUNK_ROWS);
	TupleTableSlot **slots = palloc(sizeof(TupleTableSlot *) * nslots);
	Datum created_at = (Datum) 0;
	bool isnull = true;
	int filled = 0;

	InitResultRelInfo(relinfo, target->rel, 0, NULL, 0);
	ExecOpenIndices(relinfo, false);
	for (int i = 0; i < nslots; i++)
		slots[i] = table_slot_create(target->rel, NULL);
	if (target->created_at)
		created_at = ExecEvalExpr(ExecPrepareExpr((Expr *) target->created_at, estate),
								  GetPerTupleExprContext(estate), &isnull);

	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		fill_slot(slots[filled], target, messages[i], created_at, isnull);
		slots[filled]->tts_tableOid = RelationGetRelid(target->rel);
		if (RelationGetDescr(target->rel)->constr)
			ExecConstraints(relinfo, slots[filled], estate);
		if (++filled == nslots || i == n - 1)
		{
			store_rows(relinfo, estate, slots, filled);
			filled = 0;
		}
	}

	for (int i = 0; i < nslots; i++)
		ExecDropSingleTupleTableSlot(slots[i]);
	ExecCloseIndices(relinfo);
	FreeExecutorState(estate);
	CommandCounterIncrement();
}

bool
rag_insert_directly(RagMessage **messages, int n, int optional, Oid nspoid)
{
	Target target = {0};
	bool plain;

	target.rel = table_open(rag_relation("messages", nspoid), RowExclusiveLock);
	target.sessions = table_open(rag_relation("sessions", nspoid), AccessShareLock);
	plain = is_plain(&target, optional);
	if (plain)
		insert_rows(&target, messages, n);
	table_close(target.sessions, NoLock);
	table_close(target.rel, NoLock);
	return plain;
}
