/*
 * base/compat.h
 *		Differences between the supported PostgreSQL majors (15 to 19), and
 *		nothing else. No other file of the extension tests PG_VERSION_NUM.
 */
#ifndef RAG_COMPAT_H
#define RAG_COMPAT_H

#include "postgres.h"

#include "fmgr.h"

#if PG_VERSION_NUM < 150000
#error "rag_events needs PostgreSQL 15 or later"
#endif

/* 16 moved the varlena macros out of postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 16 replaced the pg_*_aclcheck() and _ownercheck() families. */
#include "utils/acl.h"
#if PG_VERSION_NUM >= 160000
#include "catalog/pg_namespace.h"
#include "catalog/pg_class.h"
#define rag_namespace_aclcheck(nspoid, roleid, mode) \
	object_aclcheck(NamespaceRelationId, (nspoid), (roleid), (mode))
#define rag_class_ownercheck(relid, roleid) \
	object_ownercheck(RelationRelationId, (relid), (roleid))
#else
#define rag_namespace_aclcheck(nspoid, roleid, mode) \
	pg_namespace_aclcheck((nspoid), (roleid), (mode))
#define rag_class_ownercheck(relid, roleid) \
	pg_class_ownercheck((relid), (roleid))
#endif

/* From 17 on, the row type of an extension's table is a member, and its array type. */
#define RAG_ROW_TYPES_ARE_MEMBERS (PG_VERSION_NUM >= 170000)

/* 17 renamed the type of a search_path that a plan depends on. */
#if PG_VERSION_NUM >= 170000
#define rag_search_path_matches(path) SearchPathMatchesCurrentEnvironment(path)
#else
#define rag_search_path_matches(path) OverrideSearchPathMatchesCurrent(path)
#endif

/* 18 replaced pg_attribute_noreturn() by pg_noreturn, which comes first. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* 18 lets a library tell its name and version (pg_get_loaded_modules()). */
#if PG_VERSION_NUM >= 180000
#define RAG_MODULE_MAGIC(libname, libversion) \
	PG_MODULE_MAGIC_EXT(.name = (libname), .version = (libversion))
#else
#define RAG_MODULE_MAGIC(libname, libversion) PG_MODULE_MAGIC
#endif

/* 18 looks for extensions in more directories than its own. */
#if PG_VERSION_NUM >= 180000
#include "commands/extension.h"
#define rag_extension_control_path() (Extension_control_path)
#else
#define rag_extension_control_path() "$system"
#endif

/* 19 lets the caller of a table scan add options. */
#if PG_VERSION_NUM >= 190000
#define rag_table_beginscan(rel, snapshot) \
	table_beginscan((rel), (snapshot), 0, NULL, SO_NONE)
#else
#define rag_table_beginscan(rel, snapshot) \
	table_beginscan((rel), (snapshot), 0, NULL)
#endif

/* 18 counts what a scan of an index does, and 19 has options for it. */
#if PG_VERSION_NUM >= 190000
#define rag_index_beginscan(rel, index, snapshot, nkeys) \
	index_beginscan((rel), (index), (snapshot), NULL, (nkeys), 0, SO_NONE)
#elif PG_VERSION_NUM >= 180000
#define rag_index_beginscan(rel, index, snapshot, nkeys) \
	index_beginscan((rel), (index), (snapshot), NULL, (nkeys), 0)
#else
#define rag_index_beginscan(rel, index, snapshot, nkeys) \
	index_beginscan((rel), (index), (snapshot), (nkeys), 0)
#endif

/* 19 may set pages all-visible when it prunes, and wants the map's page for that. */
#if PG_VERSION_NUM >= 190000
#define rag_heap_page_prune(rel, buffer) \
	do \
	{ \
		Buffer map_ = InvalidBuffer; \
		heap_page_prune_opt((rel), (buffer), &map_, false); \
		if (BufferIsValid(map_)) \
			ReleaseBuffer(map_); \
	} while (0)
#else
#define rag_heap_page_prune(rel, buffer) heap_page_prune_opt((rel), (buffer))
#endif

/*
 * 16 gave DecodeDateTime() a last argument for the details of an error. Before it, an
 * unknown time zone was raised there and then; nothing else has happened by then.
 */
#if PG_VERSION_NUM >= 160000
#define rag_decode_date_time(field, ftype, nf, dtype, tm, fsec, tz) \
	DecodeDateTime((field), (ftype), (nf), (dtype), (tm), (fsec), (tz), \
				   &(DateTimeErrorExtra){0})
#else
#include "utils/datetime.h"
static inline int
rag_decode_date_time(char **field, int *ftype, int nf, int *dtype, struct pg_tm *tm,
					 fsec_t *fsec, int *tz)
{
	MemoryContext context = CurrentMemoryContext;
	volatile int result;

	PG_TRY();
	{
		result = DecodeDateTime(field, ftype, nf, dtype, tm, fsec, tz);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_INVALID_PARAMETER_VALUE)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		result = DTERR_BAD_FORMAT;
	}
	PG_END_TRY();
	return result;
}
#endif

/*
 * 16 added a last argument, for summarizing indexes, to ExecInsertIndexTuples();
 * 19 made flags of these, and put everything into another order.
 */
#if PG_VERSION_NUM >= 190000
#define rag_insert_index_tuples(relinfo, slot, estate) \
	ExecInsertIndexTuples((relinfo), (estate), 0, (slot), NIL, NULL)
#elif PG_VERSION_NUM >= 160000
#define rag_insert_index_tuples(relinfo, slot, estate) \
	ExecInsertIndexTuples((relinfo), (slot), (estate), false, false, NULL, NIL, false)
#else
#define rag_insert_index_tuples(relinfo, slot, estate) \
	ExecInsertIndexTuples((relinfo), (slot), (estate), false, false, NULL, NIL)
#endif

/* From 17 on, an index may keep something between the rows of one statement. */
#if PG_VERSION_NUM >= 170000
#define rag_index_insert_cleanup(rel, info) index_insert_cleanup((rel), (info))
#else
#define rag_index_insert_cleanup(rel, info) ((void) (rel), (void) (info))
#endif

/*
 * 16 moved the columns of an INSERT from the range table to permission infos, and 18
 * wants to know which relations pruning has left.
 */
#if PG_VERSION_NUM >= 160000
#define rag_inserted_columns(rte, infos) \
	(addRTEPermissionInfo(&(infos), (rte))->insertedCols)
#else
#define rag_inserted_columns(rte, infos) ((rte)->insertedCols)
#endif
#if PG_VERSION_NUM >= 180000
#define rag_init_range_table(estate, rte, infos) \
	ExecInitRangeTable((estate), list_make1(rte), (infos), bms_make_singleton(1))
#elif PG_VERSION_NUM >= 160000
#define rag_init_range_table(estate, rte, infos) \
	ExecInitRangeTable((estate), list_make1(rte), (infos))
#else
#define rag_init_range_table(estate, rte, infos) \
	((void) (infos), ExecInitRangeTable((estate), list_make1(rte)))
#endif

/* 16 tells which indexes an update concerns; 19 takes options. */
#if PG_VERSION_NUM >= 160000
#define rag_update_indexes TU_UpdateIndexes
#else
#define rag_update_indexes bool
#endif
#if PG_VERSION_NUM >= 190000
#define rag_table_tuple_update(rel, tid, slot, cid, snapshot, wait, failure, mode, \
							   indexes) \
	table_tuple_update((rel), (tid), (slot), (cid), 0, (snapshot), InvalidSnapshot, \
					   (wait), (failure), (mode), (indexes))
#else
#define rag_table_tuple_update(rel, tid, slot, cid, snapshot, wait, failure, mode, \
							   indexes) \
	table_tuple_update((rel), (tid), (slot), (cid), (snapshot), InvalidSnapshot, \
					   (wait), (failure), (mode), (indexes))
#endif

#if PG_VERSION_NUM >= 190000
#define rag_table_tuple_delete(rel, tid, cid, snapshot, wait, failure) \
	table_tuple_delete((rel), (tid), (cid), 0, (snapshot), InvalidSnapshot, (wait), \
					   (failure))
#else
#define rag_table_tuple_delete(rel, tid, cid, snapshot, wait, failure) \
	table_tuple_delete((rel), (tid), (cid), (snapshot), InvalidSnapshot, (wait), \
					   (failure), false)
#endif

/* 17 names backends by a number of their own. */
#include "storage/lock.h"
#if PG_VERSION_NUM >= 170000
#define rag_lock_vxid(instance) ((instance)->vxid)
#else
static inline VirtualTransactionId
rag_lock_vxid(const LockInstanceData *instance)
{
	VirtualTransactionId vxid = {.backendId = instance->backend,
								 .localTransactionId = instance->lxid};

	return vxid;
}
#endif

/* 18 has virtual generated columns, too. */
#if PG_VERSION_NUM >= 180000
#define rag_has_generated_columns(constr) \
	((constr)->has_generated_stored || (constr)->has_generated_virtual)
#else
#define rag_has_generated_columns(constr) ((constr)->has_generated_stored)
#endif

/* 19 wants to be told when a description of rows is complete. */
#if PG_VERSION_NUM >= 190000
#include "access/tupdesc.h"
#define rag_finish_desc(desc) TupleDescFinalize(desc)
#else
#define rag_finish_desc(desc) ((void) (desc))
#endif

/* 19 put all that building a jsonb needs into one state. */
#include "utils/jsonb.h"
#if PG_VERSION_NUM >= 190000
typedef JsonbInState RagJsonbState;
#define rag_push_jsonb(state, token, value) pushJsonbValue((state), (token), (value))
#else
typedef struct RagJsonbState
{
	JsonbParseState *parse;
	JsonbValue *result;
} RagJsonbState;
#define rag_push_jsonb(state, token, value) \
	((state)->result = pushJsonbValue(&(state)->parse, (token), (value)))
#endif

/* Is the text JSON? 17 has the lexer's state given by its user. */
#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
static inline bool
rag_is_json(const char *text, int len)
{
	JsonLexContext *lex;

#if PG_VERSION_NUM >= 170000
	lex = makeJsonLexContextCstringLen(NULL, text, len, GetDatabaseEncoding(), false);
#else
	lex = makeJsonLexContextCstringLen(unconstify(char *, text), len,
									   GetDatabaseEncoding(), false);
#endif
	return pg_parse_json(lex, &nullSemAction) == JSON_SUCCESS;
}

#endif /* RAG_COMPAT_H */
