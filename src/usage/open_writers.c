/*
 * usage/open_writers.c
 *		Transactions that write to a table.
 *
 *		Whoever has inserted, updated or deleted a row holds the table's lock in the mode
 *		RowExclusiveLock until the end of the transaction. (WaitForLockers() would wait
 *		for others, too, such as VACUUM.)
 */
#include "base/compat.h"

#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"

#include "usage/open_writers.h"

static bool
writes_to(const LockInstanceData *lock, const List *tables)
{
	return lock->locktag.locktag_type == LOCKTAG_RELATION &&
		lock->locktag.locktag_field1 == MyDatabaseId &&
		(lock->holdMask & LOCKBIT_ON(RowExclusiveLock)) != 0 && lock->pid != MyProcPid &&
		list_member_oid(tables, lock->locktag.locktag_field2);
}

void
rag_wait_for_open_writers(Oid table)
{
	List *tables = find_all_inheritors(table, NoLock, NULL);
	LockData *locks = GetLockStatusData();

	for (int i = 0; i < locks->nelements; i++)
	{
		if (writes_to(&locks->locks[i], tables))
			VirtualXactLock(rag_lock_vxid(&locks->locks[i]), true);
	}
}
