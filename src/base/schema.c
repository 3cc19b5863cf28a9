/*
 * base/schema.c
 *		The schema that the extension is in, and its tables and sequences.
 */
#include "base/compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_class_d.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

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

/*
 * Does what RangeVarGetRelidExtended() does. If the transaction has the lock already,
 * there was no wait, and the second look at the name costs one look into a cache.
 */
Oid
rag_lock_relation(const char *name, Oid nspoid, LOCKMODE lockmode)
{
	Oid relid = rag_relation(name, nspoid);

	for (;;)
	{
		LockRelationOid(relid, lockmode);
		if (get_relname_relid(name, nspoid) == relid)
			return relid;
		UnlockRelationOid(relid, lockmode);
		relid = rag_relation(name, nspoid);
	}
}

Relation
rag_open_table(const char *name, Oid nspoid, LOCKMODE lockmode)
{
	return table_open(rag_lock_relation(name, nspoid, lockmode), NoLock);
}

/* How often to try to get both tables' locks, and the longest pause before that. */
#define LOCK_ATTEMPTS 200
#define MAX_PAUSE_MS 20

/*
 * Waits for the lock of the first table, but never for that of the second while the
 * first is held.
 */
static bool
lock_in_order(Oid first, Oid second)
{
	LockRelationOid(first, AccessExclusiveLock);
	if (ConditionalLockRelationOid(second, AccessExclusiveLock))
		return true;
	UnlockRelationOid(first, AccessExclusiveLock);
	return false;
}

/*
 * Our functions lock sessions first and then messages; the plain statements of an ORM
 * often lock them the other way round. So while one table is locked, this never waits
 * for the other: if the other is not free, it releases the first, and waits for the
 * other one first.
 */
void
rag_lock_both(Oid nspoid, Oid sessions, Oid messages)
{
	bool locked = false;

	for (int i = 0; i < LOCK_ATTEMPTS && !locked; i++)
	{
		/* Gives way to those who are waiting behind us. */
		CHECK_FOR_INTERRUPTS();
		pg_usleep(1000L * Min(i, MAX_PAUSE_MS));
		locked = i % 2 == 0 ? lock_in_order(sessions, messages) :
							  lock_in_order(messages, sessions);
	}
	if (!locked)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("could not lock tables \"sessions\" and \"messages\" together"),
				 errhint("Try again when fewer transactions write to them.")));
	if (get_relname_relid("sessions", nspoid) != sessions ||
		get_relname_relid("messages", nspoid) != messages)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the tables were renamed while they were locked")));
}

Oid
rag_optional_table(const char *name, Oid nspoid)
{
	Oid relid = get_relname_relid(name, nspoid);
	Oid extension = OidIsValid(relid) ?
		getExtensionOfObject(RelationRelationId, relid) :
		InvalidOid;

	return OidIsValid(extension) && extension == get_extension_oid("rag_events", true) ?
		relid :
		InvalidOid;
}

char *
rag_installed_version(void)
{
	Relation rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	char *version = NULL;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum("rag_events"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool isnull;
		Datum value = heap_getattr(tuple, Anum_pg_extension_extversion,
								   RelationGetDescr(rel), &isnull);

		if (!isnull)
			version = TextDatumGetCString(value);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return version;
}
