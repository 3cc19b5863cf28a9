/*
 * usage/open_writers.c
 *		Transactions that write to a table.
 *
 *		Whoever has inserted, updated or deleted a row holds the table's lock in the mode
 *		RowExclusiveLock until the end of the transaction. (WaitForLockers() would wait
 *		for others, too, such as VACUUM.)
 */
#include "base/compat.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"

#include "usage/open_writers.h"

static bool
writes_to(const LockInstanceData *lock, Oid table)
{
	return lock->locktag.locktag_type == LOCKTAG_RELATION &&
		lock->locktag.locktag_field1 == MyDatabaseId &&
		lock->locktag.locktag_field2 == table &&
		(lock->holdMask & LOCKBIT_ON(RowExclusiveLock)) != 0 && lock->pid != MyProcPid;
}

void
rag_wait_for_open_writers(Oid table)
{
	LockData *locks = GetLockStatusData();

	for (int i = 0; i < locks->nelements; i++)
	{
		if (writes_to(&locks->locks[i], table))
			VirtualXactLock(rag_lock_vxid(&locks->locks[i]), true);
	}
}
