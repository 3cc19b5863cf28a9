/*
 * read/search_terms.c
 *		Searching a text for words and phrases.
 *
 *		A term is found wherever its characters are, also within a word, so that every
 *		language is searched, those without spaces included. Case makes no difference.
 *		For letters of ASCII that is a matter of bytes. Other letters are compared in
 *		upper case, which the ICU library knows best; where PostgreSQL has none, or the
 *		database another encoding, its own locale decides. Most texts are never
 *		converted: only a term with such letters needs it.
 */
#include "base/compat.h"

#include "catalog/namespace.h"
#include "catalog/pg_collation_d.h"
#include "catalog/pg_type_d.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/formatting.h"

#include "read/search_terms.h"

/* What is searched for has at most so many different words and phrases. */
#define MAX_TERMS 100

/* A snippet has so many characters. */
#define SNIPPET_LENGTH 200

typedef struct Term
{
	char *bytes; /* small letters of ASCII; or all in upper case */
	int len;
	bool upper_case; /* which of the two */
} Term;

struct RagTerms
{
	Term terms[MAX_TERMS];
	int n;
	Oid collation; /* for upper case */
};

/* A text, in the forms that terms are looked for in; NULL: not made yet. */
typedef struct Haystack
{
	const char *text;
	int len;
	char *small;
	char *upper;
	int upper_len;
} Haystack;

static char
small_letter(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* So many bytes are converted at once: half of a search was this conversion. */
#define WORD sizeof(uint64)
#define EACH_BYTE(byte) (UINT64CONST(0x0101010101010101) * (byte))

/*
 * The same for eight bytes. Of each byte without its highest bit, the sum with a number
 * carries into that bit if the byte is at least 'A', or beyond 'Z'.
 */
static uint64
small_letters_of_word(uint64 word)
{
	uint64 low = word & EACH_BYTE(0x7f);
	uint64 from_a = low + EACH_BYTE(0x80 - 'A');
	uint64 beyond_z = low + EACH_BYTE(0x7f - 'Z');
	uint64 capital = (from_a ^ beyond_z) & ~word & EACH_BYTE(0x80);

	return word | (capital >> 2);
}

static char *
small_letters(const char *str, int len)
{
	char *result = palloc_extended((Size) len + 1, MCXT_ALLOC_HUGE);
	int i = 0;

	for (; i + (int) WORD <= len; i += WORD)
	{
		uint64 word;

		memcpy(&word, str + i, WORD);
		word = small_letters_of_word(word);
		memcpy(result + i, &word, WORD);
	}
	for (; i < len; i++)
		result[i] = small_letter(str[i]);
	result[len] = '\0';
	return result;
}

/* (The upper case of a letter need not be in an encoding that has the letter.) */
static Oid
case_collation(void)
{
	Oid icu = InvalidOid;

	if (GetDatabaseEncoding() == PG_UTF8)
		icu = get_collation_oid(list_make2(makeString(pstrdup("pg_catalog")),
										   makeString(pstrdup("und-x-icu"))),
								true);
	return OidIsValid(icu) ? icu : DEFAULT_COLLATION_OID;
}

/* ------------------------------------------------------------------------
 *		The query
 * ------------------------------------------------------------------------
 */

static bool
is_ascii(const char *str, int len)
{
	for (int i = 0; i < len; i++)
	{
		if (IS_HIGHBIT_SET(str[i]))
			return false;
	}
	return true;
}

/* Do letters beyond ASCII change if the term is written in another case? */
static bool
needs_upper_case(const char *str, int len, const char *small, Oid collation)
{
	char *upper;
	char *lower;

	if (is_ascii(str, len))
		return false;
	upper = str_toupper(str, len, collation);
	lower = str_tolower(str, len, collation);
	return strcmp(small_letters(upper, strlen(upper)), small) != 0 ||
		strcmp(small_letters(lower, strlen(lower)), small) != 0;
}

static bool
has_term(const RagTerms *terms, const Term *term)
{
	for (int i = 0; i < terms->n; i++)
	{
		if (terms->terms[i].len == term->len &&
			memcmp(terms->terms[i].bytes, term->bytes, term->len) == 0)
			return true;
	}
	return false;
}

static void
add_term(RagTerms *terms, const char *str, int len)
{
	char *small = small_letters(str, len);
	Term term = {.bytes = small,
				 .upper_case = needs_upper_case(str, len, small, terms->collation)};

	if (term.upper_case)
		term.bytes = str_toupper(str, len, terms->collation);
	term.len = strlen(term.bytes);
	if (has_term(terms, &term))
		return;
	if (terms->n == MAX_TERMS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query has more than %d different words", MAX_TERMS)));
	terms->terms[terms->n++] = term;
}

/* The length of the white space that str, which ends with a null byte, begins with. */
static int
space_length(const char *str)
{
	static const char *const wide[] = {"\xc2\xa0", "\xe3\x80\x80"}; /* U+00A0, U+3000 */

	if (isascii((unsigned char) *str) && isspace((unsigned char) *str))
		return 1;
	for (int i = 0; GetDatabaseEncoding() == PG_UTF8 && i < (int) lengthof(wide); i++)
	{
		if (strncmp(str, wide[i], strlen(wide[i])) == 0)
			return strlen(wide[i]);
	}
	return 0;
}

/* The length of the term, up to the quote that ends a phrase or to white space. */
static int
term_length(const char *str, bool is_phrase)
{
	const char *end = str;

	while (*end != '\0' && (is_phrase ? *end != '"' : space_length(end) == 0))
		end += pg_mblen(end);
	return end - str;
}

RagTerms *
rag_parse_query(const text *query)
{
	char *str = text_to_cstring(query);
	RagTerms *terms = palloc(sizeof(RagTerms));

	terms->n = 0;
	terms->collation = case_collation();
	while (*str != '\0')
	{
		int space = space_length(str);
		bool is_phrase = *str == '"';
		int len;

		CHECK_FOR_INTERRUPTS();
		if (space > 0)
		{
			str += space;
			continue;
		}
		str += is_phrase;
		len = term_length(str, is_phrase);
		if (len > 0)
			add_term(terms, str, len);
		str += len;
		if (is_phrase && *str == '"')
			str++;
	}
	if (terms->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query has no words"),
				 errhint("Give words and \"phrases\" to search for, or NULL to search for nothing.")));
	return terms;
}

/* The pattern of LIKE for texts with these characters in them. */
static Datum
pattern(const Term *term)
{
	StringInfoData str;

	initStringInfo(&str);
	appendStringInfoChar(&str, '%');
	for (int i = 0; i < term->len; i++)
	{
		if (strchr("%_\\", term->bytes[i]))
			appendStringInfoChar(&str, '\\');
		appendStringInfoChar(&str, term->bytes[i]);
	}
	appendStringInfoChar(&str, '%');
	return CStringGetTextDatum(str.data);
}

bool
rag_terms_as_patterns(const RagTerms *terms, Datum *small, Datum *upper)
{
	ArrayBuildState *arrays[2];

	for (int i = 0; i < 2; i++)
		arrays[i] = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	for (int i = 0; i < terms->n; i++)
		accumArrayResult(arrays[terms->terms[i].upper_case], pattern(&terms->terms[i]),
						 false, TEXTOID, CurrentMemoryContext);
	*small = makeArrayResult(arrays[0], CurrentMemoryContext);
	*upper = makeArrayResult(arrays[1], CurrentMemoryContext);
	return terms->collation != DEFAULT_COLLATION_OID;
}

/* ------------------------------------------------------------------------
 *		The text
 * ------------------------------------------------------------------------
 */

/*
 * The place of the term in the text, in bytes from the beginning; or -1. In UTF-8 a whole
 * character is never found in the middle of another one; in other encodings it may be.
 */
static int
find(const Term *term, const char *str, int len)
{
	bool everywhere =
		GetDatabaseEncoding() == PG_UTF8 || pg_database_encoding_max_length() == 1;
	const char *character = str; /* one begins here */
	const char *from = str;
	const char *place;

	while ((place = memmem(from, len - (from - str), term->bytes, term->len)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		while (!everywhere && character < place)
			character += pg_mblen(character);
		if (everywhere || character == place)
			return place - str;
		from = place + 1;
	}
	return -1;
}

/*
 * Is it the same place in the text and in the text in upper case? Characters before it
 * may have more or fewer bytes there.
 */
static bool
is_same_place(const Haystack *haystack, int place, Oid collation)
{
	const char *str = haystack->text;

	return place <= haystack->len &&
		strlen(str_toupper(str, pg_mbcliplen(str, haystack->len, place), collation)) ==
		(Size) place;
}

/* The place in the text of what is at a place of the text in upper case. */
static int
place_in_text(const Haystack *haystack, int upper_place, Oid collation)
{
	int place = 0;

	if (is_same_place(haystack, upper_place, collation))
		return upper_place;
	while (place < haystack->len && upper_place > 0)
	{
		int len = pg_mblen(haystack->text + place);
		char *upper = str_toupper(haystack->text + place, len, collation);

		CHECK_FOR_INTERRUPTS();
		upper_place -= strlen(upper);
		place += len;
		pfree(upper);
	}
	return place;
}

/* Makes the form of the text that the term is looked for in, and finds it there. */
static int
find_term(const Term *term, Haystack *haystack, Oid collation)
{
	if (!term->upper_case)
	{
		if (haystack->small == NULL)
			haystack->small = small_letters(haystack->text, haystack->len);
		return find(term, haystack->small, haystack->len);
	}
	if (haystack->upper == NULL)
	{
		haystack->upper = str_toupper(haystack->text, haystack->len, collation);
		haystack->upper_len = strlen(haystack->upper);
	}
	return find(term, haystack->upper, haystack->upper_len);
}

/*
 * In a database whose encoding is SQL_ASCII a character is a byte: what may be parts of
 * longer ones is left out at both ends of what is cut.
 */
static text *
cut(const char *str, int len, int start, int end)
{
	if (GetDatabaseEncoding() == PG_SQL_ASCII)
	{
		while (start > 0 && start < end && (str[start] & 0xc0) == 0x80)
			start++;
		if (end < len)
		{
			while (end > start && (str[end - 1] & 0xc0) == 0x80)
				end--;
			if (end > start && IS_HIGHBIT_SET(str[end - 1]))
				end--;
		}
	}
	return cstring_to_text_with_len(str + start, end - start);
}

/* The characters of the text around a place, which is in bytes. */
static text *
snippet_around(const Haystack *haystack, int place, int term_characters)
{
	const char *str = haystack->text;
	int n = pg_mbstrlen_with_len(str, haystack->len);
	int hit = pg_mbstrlen_with_len(str, pg_mbcliplen(str, haystack->len, place));
	int room = Max(SNIPPET_LENGTH - term_characters, 0);
	int first = Max(Min(hit - room / 2, n - SNIPPET_LENGTH), 0);
	int start = pg_mbcharcliplen(str, haystack->len, first);
	int length = pg_mbcharcliplen(str + start, haystack->len - start, SNIPPET_LENGTH);

	return cut(str, haystack->len, start, start + length);
}

bool
rag_has_all_terms(const RagTerms *terms, const text *haystack_text, text **snippet)
{
	Haystack haystack = {.text = VARDATA_ANY(haystack_text),
						 .len = VARSIZE_ANY_EXHDR(haystack_text)};
	int places[MAX_TERMS];
	int first = 0;

	for (int i = 0; i < terms->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		places[i] = find_term(&terms->terms[i], &haystack, terms->collation);
		if (places[i] < 0)
			return false;
	}
	for (int i = 0; snippet && i < terms->n; i++)
	{
		if (terms->terms[i].upper_case)
			places[i] = place_in_text(&haystack, places[i], terms->collation);
		if (places[i] < places[first])
			first = i;
	}
	if (snippet)
		*snippet = snippet_around(&haystack, places[first],
								  pg_mbstrlen_with_len(terms->terms[first].bytes,
													   terms->terms[first].len));
	return true;
}
