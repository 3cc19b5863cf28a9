/*
 * usage/latency.c
 *		Histograms of latencies, which add up over days and users.
 *
 *		A histogram is an array of integers, {bucket, count, bucket, count, ...}, with the
 *		buckets in ascending order. Bucket b is of latencies around 1.04 ^ b milliseconds,
 *		so that what is read from it is right within 2 percent. count_messages.sql chooses
 *		the bucket of a latency.
 */
#include "base/compat.h"

#include <math.h>

#include "catalog/pg_type_d.h"
#include "utils/array.h"

#define FACTOR 1.04

typedef struct Pair
{
	int32 bucket;
	int32 count;
} Pair;

/* ------------------------------------------------------------------------
 *		Reading a histogram
 * ------------------------------------------------------------------------
 */

pg_noreturn static void
error_no_histogram(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("not a latency histogram"),
			 errdetail("It is an array {bucket, count, ...} of integers, buckets in ascending order, counts greater than zero.")));
}

/*
 * Returns the pairs, which stay in the array, and their number. Only the form is looked
 * at: an empty array has no dimension.
 */
static Pair *
pairs_of(ArrayType *array, int *n)
{
	int length = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	if (ARR_NDIM(array) > 1 || ARR_HASNULL(array) || ARR_ELEMTYPE(array) != INT4OID ||
		length % 2 != 0)
		error_no_histogram();
	*n = length / 2;
	return (Pair *) ARR_DATA_PTR(array);
}

/* The same of a histogram that comes from outside. */
static Pair *
checked_pairs_of(ArrayType *array, int *n)
{
	Pair *pairs = pairs_of(array, n);

	for (int i = 0; i < *n; i++)
	{
		if (pairs[i].count <= 0 || (i > 0 && pairs[i].bucket <= pairs[i - 1].bucket))
			error_no_histogram();
	}
	return pairs;
}

/* ------------------------------------------------------------------------
 *		Adding up
 * ------------------------------------------------------------------------
 */

/* A histogram for n pairs, which are to be filled in. */
static ArrayType *
make_histogram(int n)
{
	Size size = ARR_OVERHEAD_NONULLS(1) + sizeof(Pair) * n;
	ArrayType *array = palloc0(size);
	int *length;
	int *first;

	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = INT4OID;
	length = ARR_DIMS(array);
	first = ARR_LBOUND(array); /* needs the number of dimensions */
	*length = n * 2;
	*first = 1;
	return array;
}

/* Only the first n pairs were filled in. */
static void
cut_histogram(ArrayType *array, int n)
{
	int *length = ARR_DIMS(array);

	*length = n * 2;
	SET_VARSIZE(array, ARR_OVERHEAD_NONULLS(1) + sizeof(Pair) * n);
}

/* What does not fit stays at the largest number. */
static int32
add_counts(int32 a, int32 b)
{
	return (int32) Min((int64) a + b, PG_INT32_MAX);
}

/* The place of the first pair from this bucket on. */
static int
find_bucket(const Pair *pairs, int n, int32 bucket)
{
	int low = 0;
	int high = n;

	while (low < high)
	{
		int middle = low + (high - low) / 2;

		if (pairs[middle].bucket < bucket)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Adds b to a where a has all buckets of b. Returns false, with nothing done, if not. */
static bool
add_in_place(Pair *a, int na, const Pair *b, int nb)
{
	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = 0, place = 0; i < nb; i++)
		{
			place += find_bucket(a + place, na - place, b[i].bucket);
			if (place == na || a[place].bucket != b[i].bucket)
				return false;
			if (pass == 1)
				a[place].count = add_counts(a[place].count, b[i].count);
		}
	}
	return true;
}

static ArrayType *
merge(const Pair *a, int na, const Pair *b, int nb)
{
	ArrayType *result = make_histogram(na + nb);
	Pair *pairs = (Pair *) ARR_DATA_PTR(result);
	int n = 0;

	while (na > 0 || nb > 0)
	{
		bool from_a = nb == 0 || (na > 0 && a->bucket <= b->bucket);
		bool from_b = na == 0 || (nb > 0 && b->bucket <= a->bucket);

		pairs[n] = from_a ? *a : *b;
		if (from_a && from_b)
			pairs[n].count = add_counts(a->count, b->count);
		n++;
		if (from_a)
			a++, na--;
		if (from_b)
			b++, nb--;
	}
	if (n == 0)
		return construct_empty_array(INT4OID);
	cut_histogram(result, n);
	return result;
}

/*
 * rag_latency_add(sum integer[], histogram integer[]) returns integer[]
 *
 * The sum of two histograms; NULL is an empty one. It is the step of the aggregate
 * rag_latency_sum(), which lets it change its first argument.
 *
 * Errors: 22023 an argument is not a histogram. Since 1.4.
 */
PG_FUNCTION_INFO_V1(rag_latency_add);
Datum
rag_latency_add(PG_FUNCTION_ARGS)
{
	bool in_aggregate = AggCheckCallContext(fcinfo, NULL) == AGG_CONTEXT_AGGREGATE;
	ArrayType *sum;
	ArrayType *added;
	Pair *a = NULL;
	Pair *b;
	int na = 0;
	int nb;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	added = PG_GETARG_ARRAYTYPE_P(1);
	b = checked_pairs_of(added, &nb);
	if (PG_ARGISNULL(0))
		PG_RETURN_ARRAYTYPE_P(merge(b, 0, b, nb));
	sum = PG_GETARG_ARRAYTYPE_P(0);
	a = in_aggregate ? pairs_of(sum, &na) : checked_pairs_of(sum, &na);
	if (in_aggregate && add_in_place(a, na, b, nb))
		PG_RETURN_ARRAYTYPE_P(sum);
	PG_RETURN_ARRAYTYPE_P(merge(a, na, b, nb));
}

/* ------------------------------------------------------------------------
 *		Percentiles
 * ------------------------------------------------------------------------
 */

/* The latency of the one that has this place, from 0, among all. */
static double
latency_at(const Pair *pairs, int n, int64 place)
{
	int i = 0;

	while (i < n - 1 && place >= pairs[i].count)
		place -= pairs[i++].count;
	return pow(FACTOR, pairs[i].bucket);
}

static int64
total(const Pair *pairs, int n)
{
	int64 sum = 0;

	for (int i = 0; i < n; i++)
		sum += pairs[i].count;
	return sum;
}

/*
 * rag_latency_percentile(histogram integer[], fraction double precision)
 *		returns double precision
 *
 * The latency in milliseconds that the fraction of all does not exceed: 0.5 is the
 * median. Between two of them it is interpolated, as percentile_cont() does. NULL for an
 * empty histogram.
 *
 * Errors: 22003 fraction is not between 0 and 1; 22023 not a histogram. Since 1.4.
 */
PG_FUNCTION_INFO_V1(rag_latency_percentile);
Datum
rag_latency_percentile(PG_FUNCTION_ARGS)
{
	double fraction = PG_GETARG_FLOAT8(1);
	int n;
	Pair *pairs = checked_pairs_of(PG_GETARG_ARRAYTYPE_P(0), &n);
	double place;
	double low;
	double high;

	if (!(fraction >= 0 && fraction <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("fraction %g is not between 0 and 1", fraction)));
	if (n == 0)
		PG_RETURN_NULL();
	place = fraction * (double) (total(pairs, n) - 1);
	low = latency_at(pairs, n, (int64) floor(place));
	high = latency_at(pairs, n, (int64) ceil(place));
	if (low == high)
		PG_RETURN_FLOAT8(low); /* also where both are infinite */
	PG_RETURN_FLOAT8(low + (high - low) * (place - floor(place)));
}
