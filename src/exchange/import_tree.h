/*
 * exchange/import_tree.h
 *		A conversation that is kept as a tree: each message knows the one before it, and
 *		several may follow the same one, as other answers to a question do.
 */
#ifndef RAG_IMPORT_TREE_H
#define RAG_IMPORT_TREE_H

#include "base/compat.h"

#include "utils/jsonb.h"

typedef struct RagTree
{
	const char *nodes;	  /* the field with the nodes, an object; for errors */
	const char *leaf;	  /* the field with the id of the last node of the path */
	const char *message;  /* where a node has its message; NULL: it is one */
	const char *parent;	  /* where it has the id of the node before it */
	const char *children; /* where it has the ids of those after it */
} RagTree;

/*
 * The messages of the path from the root to the leaf, as an array. leaf is the id of a
 * node; or NULL: then it is the last of the children, and so on. A message that is one of
 * several that follow the same one has the others as "variants": [{"id", "content"}].
 *
 * Raises 22023 if there is no such node, or the nodes lead in a circle.
 */
extern JsonbContainer *rag_path_of_tree(const RagTree *tree, const JsonbValue *nodes,
										const JsonbValue *leaf);

#endif /* RAG_IMPORT_TREE_H */
