/*
 * migration/extension_files.c
 *		The files that are installed with the extension: where they are, and
 *		reading them.
 *
 *		They lie beside the control file, and PostgreSQL takes the first control
 *		file that it finds. So do we, so that what is read here is what CREATE
 *		and ALTER EXTENSION would run.
 */
#include "base/compat.h"

#include <sys/stat.h>
#include <unistd.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "migration/extension_files.h"

#define EXTENSION "rag_events"
#define SCRIPT_PREFIX "rag_events--"
#define SCRIPT_SUFFIX ".sql"

static bool
has_control_file(const char *directory, const char *extension)
{
	return access(psprintf("%s/%s.control", directory, extension), F_OK) == 0;
}

/*
 * Before PostgreSQL 18, Debian's has a setting of its own, extension_destdir: where an
 * extension lies below it, as a package that is being built does, it comes first.
 */
static char *
system_directory(const char *extension)
{
	const char *destdir = GetConfigOption("extension_destdir", true, false);
	char sharepath[MAXPGPATH];
	char *directory;

	get_share_path(my_exec_path, sharepath);
	directory = psprintf("%s%s/extension", destdir ? destdir : "", sharepath);
	return has_control_file(directory, extension) ?
		directory :
		psprintf("%s/extension", sharepath);
}

/*
 * The directory of the first entry of extension_control_path that holds the control
 * file. If there is none, it is the directory of the system, so that the error names
 * the file that was asked for.
 */
static char *
extension_directory(const char *extension)
{
	const char *path = rag_extension_control_path();

	while (*path != '\0')
	{
		const char *end = first_path_var_separator(path);
		int len = end ? (int) (end - path) : (int) strlen(path);
		char *entry = pnstrdup(path, len);
		char *directory = strcmp(entry, "$system") == 0 ?
			system_directory(extension) :
			psprintf("%s/extension", entry);

		canonicalize_path(directory);
		if (has_control_file(directory, extension))
			return directory;
		path += end ? len + 1 : len;
	}
	return system_directory(extension);
}

static FILE *
open_file(const char *path)
{
	FILE *file = AllocateFile(path, PG_BINARY_R);

	if (file == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\" for reading: %m", path)));
	return file;
}

/* Reads all of a file, as it is, and sets its length. */
static char *
read_file(const char *path, size_t *length)
{
	FILE *file = open_file(path);
	struct stat status;
	char *content;
	size_t len;

	if (fstat(fileno(file), &status) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not stat file \"%s\": %m", path)));
	if (status.st_size > (off_t) (MaxAllocSize - 1))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("file \"%s\" is too large", path)));

	content = palloc((Size) status.st_size + 1);
	len = fread(content, 1, (size_t) status.st_size, file);
	if (ferror(file))
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\": %m", path)));
	FreeFile(file);
	content[len] = '\0';
	*length = len;
	return content;
}

char *
rag_read_extension_file(const char *filename)
{
	char *content;
	size_t len;

	if (first_dir_separator(filename) != NULL || filename[0] == '.')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid name of an extension's file: \"%s\"",
						filename)));

	content = read_file(psprintf("%s/%s", extension_directory(EXTENSION), filename),
						&len);
	pg_verify_mbstr(GetDatabaseEncoding(), content, (int) len, false);
	return content;
}

char *
rag_read_keeper_file(const char *extension, const char *filename)
{
	char *path = psprintf("%s/%s", extension_directory(extension), filename);
	char *content;
	size_t len;

	if (access(path, F_OK) != 0)
		return NULL;
	content = read_file(path, &len);
	/* tools/keep_local.sql writes UTF-8 where the database has an encoding at all. */
	return GetDatabaseEncoding() == PG_SQL_ASCII ?
		content :
		pg_any_to_server(content, (int) len, PG_UTF8);
}

char *
rag_read_control_value(const char *name)
{
	char *path = psprintf("%s/%s", extension_directory(EXTENSION), EXTENSION ".control");
	FILE *file = open_file(path);
	ConfigVariable *head = NULL;
	ConfigVariable *tail = NULL;
	char *value = NULL;

	(void) ParseConfigFp(file, path, 0, ERROR, &head, &tail);
	FreeFile(file);
	for (ConfigVariable *item = head; item != NULL; item = item->next)
	{
		if (strcmp(item->name, name) == 0)
			value = pstrdup(item->value);
	}
	FreeConfigVariables(head);
	return value;
}

static bool
is_script(const char *filename)
{
	size_t len = strlen(filename);

	return len > strlen(SCRIPT_PREFIX) + strlen(SCRIPT_SUFFIX) &&
		strncmp(filename, SCRIPT_PREFIX, strlen(SCRIPT_PREFIX)) == 0 &&
		strcmp(filename + len - strlen(SCRIPT_SUFFIX), SCRIPT_SUFFIX) == 0;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

List *
rag_list_extension_scripts(void)
{
	List *names = NIL;
	char *directory = extension_directory(EXTENSION);
	DIR *dir = AllocateDir(directory);
	struct dirent *entry;

	while ((entry = ReadDir(dir, directory)) != NULL)
	{
		if (is_script(entry->d_name))
			names = lappend(names, pstrdup(entry->d_name));
	}
	FreeDir(dir);
	list_sort(names, compare_names);
	return names;
}
