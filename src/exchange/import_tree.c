/*
 * exchange/import_tree.c
 *		A conversation that is kept as a tree.
 */
#include "base/compat.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"

#include "base/json.h"
#include "base/metadata.h"
#include "exchange/import_parts.h"
#include "exchange/import_tree.h"

/* How much of the id of a node is repeated in an error, in bytes. */
#define ID_SHOWN 63

/* So many nodes after its first one, an answer has to say something to be a variant. */
#define NODES_OF_ANSWER 100

typedef struct Walk
{
	const RagTree *tree;
	const JsonbValue *nodes;
	int n; /* their number: no path is longer */
} Walk;

/* A node, and where it is in the tree. */
typedef struct TreeNode
{
	JsonbValue id;
	JsonbValue value;
} TreeNode;

/* Returns false if there is no such node. */
static bool
find_node(const Walk *walk, const JsonbValue *id, TreeNode *node)
{
	if (id == NULL || id->type != jbvString)
		return false;
	node->id = *id;
	return getKeyJsonValueFromContainer(walk->nodes->val.binary.data, id->val.string.val,
										id->val.string.len, &node->value) != NULL &&
		rag_json_is_object(&node->value);
}

static bool
find_parent(const Walk *walk, const TreeNode *node, TreeNode *parent)
{
	JsonbValue buffer;
	const JsonbValue *id = rag_json_field(&node->value, walk->tree->parent, &buffer);

	return find_node(walk, id, parent);
}

static bool
find_last_child(const Walk *walk, const TreeNode *node, TreeNode *child)
{
	JsonbValue buffer;
	JsonbValue id;
	const JsonbValue *children =
		rag_json_array_field(&node->value, walk->tree->children, &buffer);
	JsonbIterator *it = children ? rag_json_elements(children) : NULL;
	bool found = false;
	TreeNode next;

	while (it && rag_json_next(&it, &id))
	{
		if (!find_node(walk, &id, &next))
			continue;
		*child = next;
		found = true;
	}
	return found;
}

pg_noreturn static void
error_circle(const Walk *walk)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the nodes of field \"%s\" lead in a circle", walk->tree->nodes)));
}

/* The last node that has no parent, if there is one; then the last of its children. */
static bool
find_newest_leaf(const Walk *walk, TreeNode *leaf)
{
	JsonbIterator *it = JsonbIteratorInit(walk->nodes->val.binary.data);
	JsonbValue id;
	JsonbValue value;
	bool found = false;
	int n = 0;
	TreeNode node;

	(void) JsonbIteratorNext(&it, &id, true); /* WJB_BEGIN_OBJECT */
	while (JsonbIteratorNext(&it, &id, true) == WJB_KEY)
	{
		TreeNode parent;

		(void) JsonbIteratorNext(&it, &value, true);
		if (!find_node(walk, &id, &node) || find_parent(walk, &node, &parent))
			continue;
		*leaf = node;
		found = true;
	}
	if (!found && walk->n > 0)
		error_circle(walk);
	while (found && find_last_child(walk, leaf, &node))
	{
		CHECK_FOR_INTERRUPTS();
		if (++n > walk->n)
			error_circle(walk);
		*leaf = node;
	}
	return found;
}

static bool
find_leaf(const Walk *walk, const JsonbValue *id, TreeNode *leaf)
{
	if (id == NULL || id->type == jbvNull)
		return find_newest_leaf(walk, leaf);
	if (id->type != jbvString)
		rag_error_field(0, walk->tree->leaf, "a string");
	if (!find_node(walk, id, leaf))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("field \"%s\" names no node of \"%s\": \"%.*s\"", walk->tree->leaf,
						walk->tree->nodes,
						pg_mbcliplen(id->val.string.val, id->val.string.len, ID_SHOWN),
						id->val.string.val),
				 errhint("Without \"%s\" the conversation ends with the newest message.", walk->tree->leaf)));
	return true;
}

/* ------------------------------------------------------------------------
 *		Messages
 * ------------------------------------------------------------------------
 */

/* The message of a node, an object; or NULL. */
static const JsonbValue *
message_of(const Walk *walk, const TreeNode *node, JsonbValue *buffer)
{
	const JsonbValue *message = &node->value;

	if (walk->tree->message)
		message = rag_json_field(&node->value, walk->tree->message, buffer);
	return message && rag_json_is_object(message) ? message : NULL;
}

/* Is it said to the user, and neither to a tool nor by one? */
static bool
is_said(const JsonbValue *message)
{
	JsonbValue buffer;
	JsonbValue role_buffer;
	const JsonbValue *recipient = rag_json_string_field(message, "recipient", &buffer);
	const JsonbValue *author;
	const JsonbValue *role;

	if (recipient && !rag_json_equals(recipient, "all"))
		return false;
	author = rag_json_field(message, "author", &buffer);
	role = rag_json_string_field(author ? author : message, "role", &role_buffer);
	return role == NULL || !rag_json_equals(role, "tool");
}

/* Appends what the node, or the first of those after it that does, says. */
static void
append_answer(const Walk *walk, const TreeNode *first, StringInfo text)
{
	TreeNode node = *first;
	TreeNode next;

	for (int i = 0; i < NODES_OF_ANSWER && text->len == 0; i++)
	{
		JsonbValue buffer;
		JsonbValue content_buffer;
		const JsonbValue *message = message_of(walk, &node, &buffer);
		const JsonbValue *content =
			message && is_said(message) ? rag_json_field(message, "content", &content_buffer) : NULL;

		if (content)
			rag_append_content(text, content);
		if (!find_last_child(walk, &node, &next))
			return;
		node = next;
	}
}

static void
push_variant(const Walk *walk, const TreeNode *node, RagJsonbState *state)
{
	StringInfoData text;

	initStringInfo(&text);
	append_answer(walk, node, &text);
	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	rag_push_field(state, "id", &node->id);
	rag_push_string(state, "content", text.data, text.len);
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
}

static bool
is_same(const JsonbValue *a, const JsonbValue *b)
{
	return a->val.string.len == b->val.string.len &&
		memcmp(a->val.string.val, b->val.string.val, a->val.string.len) == 0;
}

/* Pushes the other nodes that follow the same one, if there are any. */
static void
push_variants(const Walk *walk, const TreeNode *node, RagJsonbState *state)
{
	JsonbValue buffer;
	const JsonbValue *ids;
	JsonbIterator *it;
	JsonbValue id;
	TreeNode parent;
	TreeNode other;
	bool any = false;

	if (!find_parent(walk, node, &parent))
		return;
	ids = rag_json_array_field(&parent.value, walk->tree->children, &buffer);
	it = ids ? rag_json_elements(ids) : NULL;
	while (it && rag_json_next(&it, &id))
	{
		CHECK_FOR_INTERRUPTS();
		if (!find_node(walk, &id, &other) || is_same(&id, &node->id))
			continue;
		if (!any)
		{
			rag_push_key(state, RAG_VARIANTS);
			rag_push_jsonb(state, WJB_BEGIN_ARRAY, NULL);
		}
		any = true;
		push_variant(walk, &other, state);
	}
	if (any)
		rag_push_jsonb(state, WJB_END_ARRAY, NULL);
}

static void
push_node(const Walk *walk, const TreeNode *node, RagJsonbState *state)
{
	JsonbValue buffer;
	const JsonbValue *message = message_of(walk, node, &buffer);

	if (message == NULL)
		return;
	rag_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	rag_push_pairs(state, message->val.binary.data);
	push_variants(walk, node, state);
	rag_push_jsonb(state, WJB_END_OBJECT, NULL);
}

/* The nodes from the leaf to the root. */
static List *
path_to_root(const Walk *walk, const TreeNode *leaf)
{
	List *path = NIL;
	TreeNode *node = palloc(sizeof(TreeNode));
	bool more = true;

	*node = *leaf;
	while (more)
	{
		TreeNode *parent = palloc(sizeof(TreeNode));

		CHECK_FOR_INTERRUPTS();
		path = lappend(path, node);
		if (list_length(path) > walk->n)
			error_circle(walk);
		more = find_parent(walk, node, parent);
		node = parent;
	}
	return path;
}

JsonbContainer *
rag_path_of_tree(const RagTree *tree, const JsonbValue *nodes, const JsonbValue *leaf)
{
	Walk walk = {
		.tree = tree, .nodes = nodes, .n = JsonContainerSize(nodes->val.binary.data)};
	RagJsonbState state = {0};
	List *path = NIL;
	TreeNode last;

	if (find_leaf(&walk, leaf, &last))
		path = path_to_root(&walk, &last);
	rag_push_jsonb(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = list_length(path) - 1; i >= 0; i--)
		push_node(&walk, list_nth(path, i), &state);
	rag_push_jsonb(&state, WJB_END_ARRAY, NULL);
	return rag_built_value(&state)->val.binary.data;
}
