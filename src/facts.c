/*
 * facts.c
 *		Do facts about a table still hold?
 */
#include "compat.h"

#include "utils/inval.h"

#include "facts.h"

static RagFacts *all_facts = NULL;

/* Somebody has changed the table: any table, if relid is InvalidOid. */
static void
forget_facts(Datum arg pg_attribute_unused(), Oid relid)
{
	for (RagFacts *facts = all_facts; facts; facts = facts->next)
	{
		if (relid == InvalidOid || relid == facts->table || relid == facts->other)
		{
			facts->hold = false;
			facts->changed = true;
		}
	}
}

static void
watch(RagFacts *facts)
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
rag_begin_facts(RagFacts *facts, Oid table, Oid other)
{
	watch(facts);
	facts->table = table;
	facts->other = other;
	facts->hold = false;
	facts->changed = false;
}

void
rag_end_facts(RagFacts *facts)
{
	facts->hold = !facts->changed;
}
