/*
 * migration/extension_files.h
 *		The files that are installed with the extension: where they are, and
 *		reading them.
 */
#ifndef RAG_EXTENSION_FILES_H
#define RAG_EXTENSION_FILES_H

#include "base/compat.h"

#include "nodes/pg_list.h"

/*
 * Returns the content of one of the extension's files, palloc'd and ended by a
 * NUL. filename is its name alone. Errors: 22023 for a name that leads to
 * another directory, 58P01 when there is no such file, otherwise the error code
 * of the system's error; 22021 when the file does not fit the database's
 * encoding.
 */
extern char *rag_read_extension_file(const char *filename);

/*
 * The same for a file of another extension, one that tools/keep_local.sql has written,
 * in the database's encoding. NULL when there is no such file. The name of an installed
 * extension leads to no other directory.
 */
extern char *rag_read_keeper_file(const char *extension, const char *filename);

/*
 * Returns the value of a setting of the control file, palloc'd, or NULL when it
 * is not set there. Errors: as above, 42601 when the file is not well-formed.
 */
extern char *rag_read_control_value(const char *name);

/*
 * Returns the names of the installed scripts (rag_events--*.sql), palloc'd
 * strings in the order of strcmp(). Error: as the system's when the directory
 * cannot be read.
 */
extern List *rag_list_extension_scripts(void);

#endif /* RAG_EXTENSION_FILES_H */
