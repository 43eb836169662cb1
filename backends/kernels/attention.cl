/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation of heads, and attention over a paged cache.
 *
 *     store   keys and values of the step -> state       (norm, rotation, the state's type)
 *     attend  each query over the positions it sees      (scale, softcap, softmax, values)
 *     merge   the parts of a query whose positions were split among groups
 *
 * The host defines SIZE (of a head), ROTATED and INTERLEAVED (0, 1), STATE (the type of the state:
 * 1 F32, 2 F16, 36 Q8_0), VEC (4, 8, 16: divides SIZE; else 1) and GROUP. Where SIZE is not known
 * to the compiler, SIZE_MOST bounds it.
 *
 * Angles are turns: position times a frequency in turns, which is a sum of two floats, so that the
 * fraction of a turn is right at any position that a float can count. */
#ifndef SIZE_MOST
#define SIZE_MOST SIZE
#endif
#ifndef ROTATED
#define ROTATED 0
#endif
#ifndef INTERLEAVED
#define INTERLEAVED 0
#endif
#define HALF_TURNS (ROTATED / 2)
#define FIRST_OF(i) (INTERLEAVED ? 2 * (i) : (i))
#define SECOND_OF(i) (INTERLEAVED ? 2 * (i) + 1 : (i) + HALF_TURNS)

/* Cosine and sine of pair i at a position; turns: high parts of all pairs, then low parts. */
static inline float2 het_turn(__global const float *turns, int i, int position, float magnitude)
{
    const float at = (float)position, high = turns[i], low = turns[HALF_TURNS + i];
    const float whole = at * high;
    const float fraction = whole - rint(whole) + (fma(at, high, -whole) + at * low);
    return (float2)(cospi(2.0f * fraction), sinpi(2.0f * fraction)) * magnitude;
}

#ifdef ROPE
/* An item has a pair of a head, or an element behind those that turn. */
__kernel void rope(HET_IN(x), HET_IN(positions), HET_IN(turns), HET_OUT(y), const uint heads,
                   const uint tokens, const float magnitude)
{
    const uint per_head = SIZE - HALF_TURNS;
    const uint item = (uint)get_global_id(0), t = (uint)get_global_id(1);
    const uint head = item / per_head, i = item % per_head;
    if (head >= heads || t >= tokens)
        return;
    const ulong at = ((ulong)t * heads + head) * SIZE;
    __global const float *from = HET_FLOATS(x) + at;
    __global float *to = HET_FLOATS_OUT(y) + at;
    if (i >= HALF_TURNS) {
        to[HALF_TURNS + i] = from[HALF_TURNS + i];
        return;
    }
    const float2 turn = het_turn(HET_FLOATS(turns), (int)i, HET_INTS(positions)[t], magnitude);
    const float a = from[FIRST_OF(i)], b = from[SECOND_OF(i)];
    to[FIRST_OF(i)] = a * turn.x - b * turn.y;
    to[SECOND_OF(i)] = a * turn.y + b * turn.x;
}
#else

/* ---- heads ---- */

#ifndef NORM
#define NORM 0
#endif

#if GROUP > 1
#define EVERYONE barrier(CLK_LOCAL_MEM_FENCE)
#else
#define EVERYONE
#endif

/* A query or a key as attention uses it: normed, rotated, times factor; for all items. */
HET_INLINE void make_head(__global const float *x, __global const float *weight, float eps,
                             __global const float *turns, int position, float magnitude,
                             float factor, __local float *head, __local float *room)
{
    const int item = (int)get_local_id(0);
    float scale = 1.0f;
    if (NORM) {
        float sum = 0.0f;
        for (int i = item; i < SIZE; i += GROUP)
            sum += x[i] * x[i];
        scale = 1.0f / sqrt(het_group_sum(sum, room) / (float)SIZE + eps);
    }
    EVERYONE; /* nobody reads the head before any more */
    for (int i = item; i < SIZE; i += GROUP)
        head[i] = NORM ? x[i] * scale * weight[i] : x[i];
    EVERYONE;
    for (int i = item; i < HALF_TURNS; i += GROUP) {
        const float2 turn = het_turn(turns, i, position, magnitude);
        const float a = head[FIRST_OF(i)], b = head[SECOND_OF(i)];
        head[FIRST_OF(i)] = a * turn.x - b * turn.y;
        head[SECOND_OF(i)] = a * turn.y + b * turn.x;
    }
    EVERYONE;
    if (factor != 1.0f) {
        for (int i = item; i < SIZE; i += GROUP)
            head[i] *= factor;
        EVERYONE;
    }
}

/* ---- state ---- */

#if STATE == 1
#define ROW_BYTES (4ul * SIZE)
#elif STATE == 2
#define ROW_BYTES (2ul * SIZE)
#else
#define ROW_BYTES (34ul * (SIZE / 32))
#endif

static inline ulong state_row(int page, int kv_head, int kv_heads, int page_size, int offset)
{
    return (((ulong)page * kv_heads + kv_head) * page_size + offset) * ROW_BYTES;
}

#if STATE == 36
static inline char16 codes_of(float16 x, float inverse)
{
    return convert_char16(clamp(rint(x * inverse), -127.0f, 127.0f));
}

/* As lib/quant/convert.c writes a block. */
HET_INLINE void store_block(__local const float *x, __global uchar *block)
{
    const float16 a = vload16(0, x), b = vload16(1, x);
    const float16 sixteen = fmax(fabs(a), fabs(b));
    const float8 eight = fmax(sixteen.lo, sixteen.hi);
    const float4 four = fmax(eight.lo, eight.hi);
    const float most = fmax(fmax(four.x, four.y), fmax(four.z, four.w));
    const int finite = all(isfinite(a)) && all(isfinite(b));
    if (finite)
        vstore_half_rte(most / 127.0f, 0, (__global half *)block);
    else
        *(__global ushort *)block = 0x7e00;
    const float scale = het_half(block);
    const int usable = finite && scale > 0.0f && scale <= FLT_MAX;
    const float inverse = usable ? 1.0f / scale : 0.0f;
    __global char *codes = (__global char *)(block + 2);
    vstore16(usable ? codes_of(a, inverse) : (char16)1, 0, codes);
    vstore16(usable ? codes_of(b, inverse) : (char16)1, 1, codes);
}
#endif

HET_INLINE void store_row(__local const float *x, __global uchar *row)
{
#if STATE == 36
    for (int b = (int)get_local_id(0); b < SIZE / 32; b += GROUP)
        store_block(x + 32 * b, row + 34 * b);
#else
    for (int i = (int)get_local_id(0); i < SIZE; i += GROUP) {
#if STATE == 1
        ((__global float *)row)[i] = x[i];
#else
        vstore_half_rte(x[i], i, (__global half *)row);
#endif
    }
#endif
}

/* A group has a token and a head of keys and values. */
HET_SUBGROUP_KERNEL
__kernel void store(HET_IN(k), HET_IN(v), HET_IN(positions), HET_IN(slots), HET_IN(weight),
                    HET_IN(turns), HET_OUT(k_state), HET_OUT(v_state), const int tokens,
                    const int kv_heads, const int page_size, const int pages, const float eps,
                    const float magnitude)
{
    __local float head[SIZE_MOST];
    __local float room[HET_ROOM];
    const int t = (int)get_group_id(0), g = (int)get_group_id(1);
    if (t >= tokens)
        return;
    const int slot = HET_INTS(slots)[t];
    if (slot < 0 || slot / page_size >= pages)
        return;
    const ulong row = state_row(slot / page_size, g, kv_heads, page_size, slot % page_size);
    const ulong at = ((ulong)t * kv_heads + g) * SIZE;
    make_head(HET_FLOATS(k) + at, HET_FLOATS(weight), eps, HET_FLOATS(turns),
              HET_INTS(positions)[t], magnitude, 1.0f, head, room);
    store_row(head, k_state + k_state_at + row);
    EVERYONE;
    for (int i = (int)get_local_id(0); i < SIZE; i += GROUP)
        head[i] = HET_FLOATS(v)[at + i];
    EVERYONE;
    store_row(head, v_state + v_state_at + row);
}

/* ---- vectors of the state ---- */

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)
#if VEC == 1
typedef float lanes;
#define LOAD(i, p) (p)[i]
#define STORE(x, i, p) (p)[i] = (x)
#define LOAD_HALF(i, p) vload_half(i, p)
#define LOAD_CHAR(i, p) (float)(p)[i]
#else
typedef JOIN(float, VEC) lanes;
#define LOAD(i, p) JOIN(vload, VEC)(i, p)
#define STORE(x, i, p) JOIN(vstore, VEC)(x, i, p)
#define LOAD_HALF(i, p) JOIN(vload_half, VEC)(i, p)
#define LOAD_CHAR(i, p) JOIN(convert_float, VEC)(JOIN(vload, VEC)(i, p))
#endif

static inline float lanes_sum(lanes x)
{
#if VEC == 1
    return x;
#else
#if VEC == 16
    const float8 eight = x.lo + x.hi;
    const float4 four = eight.lo + eight.hi;
#elif VEC == 8
    const float4 four = x.lo + x.hi;
#else
    const float4 four = x;
#endif
    const float2 two = four.lo + four.hi;
    return two.x + two.y;
#endif
}

/* Elements VEC i to VEC i + VEC - 1 of a row. */
static inline lanes state_load(__global const uchar *row, int i)
{
#if STATE == 1
    return LOAD(i, (__global const float *)row);
#elif STATE == 2
    return LOAD_HALF(i, (__global const half *)row);
#else
    __global const uchar *block = row + 34 * (VEC * i / 32);
    return LOAD_CHAR(VEC * i % 32 / VEC, (__global const char *)(block + 2)) * het_half(block);
#endif
}

/* What a query sees. */
typedef struct sight {
    int first, last; /* positions; last < first: none */
    int entry;       /* of the table of pages, of position 0 */
} sight;

static inline sight sight_of(__global const int *segments, int count, int t, int window)
{
    sight s = { 0, -1, 0 };
    for (int i = 0; i < count; i++) {
        __global const int *segment = segments + 4 * i;
        if (t < segment[0] || t >= segment[0] + segment[1])
            continue;
        s.last = segment[2] + t - segment[0];
        s.first = window && s.last >= window ? s.last - window + 1 : 0;
        s.entry = segment[3];
    }
    return s;
}

#define ATTEND_ARGUMENTS                                                                   \
    HET_IN(q), HET_IN(k_state), HET_IN(v_state), HET_IN(positions), HET_IN(segments),      \
        HET_IN(pages), HET_IN(weight), HET_IN(turns), HET_OUT(y), __global float *parts,   \
        const ulong parts_at, const int heads, const int kv_heads, const int page_size,    \
        const int segment_count, const int window, const int splits, const int span,       \
        const float eps, const float magnitude, const float scale, const float softcap

/* Largest score, sum of weights, and their sum of values: of SIZE + 2 floats. */
static inline __global float *part_of(__global float *parts, ulong parts_at, ulong query,
                                      int splits, int split)
{
    return parts + parts_at / sizeof(float) + (query * splits + split) * (SIZE + 2);
}

#define VECTORS (SIZE / VEC)

#if GROUP == 1
/* An item has a query of one head and a span of positions, in chunks: their scores, then their
 * values. */
#define CHUNK 32
__kernel void attend(ATTEND_ARGUMENTS)
{
    __local float head[SIZE_MOST];
    __local float room[HET_ROOM];
    const int h = (int)get_group_id(0), t = (int)get_group_id(1), split = (int)get_group_id(2);
    const sight s = sight_of(HET_INTS(segments), segment_count, t, window);
    if (s.last < s.first)
        return;
    const ulong query = (ulong)t * heads + h;
    make_head(HET_FLOATS(q) + query * SIZE, HET_FLOATS(weight), eps, HET_FLOATS(turns),
              HET_INTS(positions)[t], magnitude, scale, head, room);
    const int begin = s.first + split * span;
    const int end = splits == 1 ? s.last + 1 : min(begin + span, s.last + 1);
    const int g = h / (heads / kv_heads);
    float most = -FLT_MAX, total = 0.0f;
    lanes sum[VECTORS];
    float scores[CHUNK];
    for (int i = 0; i < VECTORS; i++)
        sum[i] = 0.0f;
    for (int chunk = begin; chunk < end; chunk += CHUNK) {
        const int count = min(CHUNK, end - chunk);
        float top = most;
        for (int j = 0; j < count; j++) {
            const int p = chunk + j;
            __global const uchar *row = k_state + k_state_at +
                state_row(HET_INTS(pages)[s.entry + p / page_size], g, kv_heads, page_size,
                          p % page_size);
            lanes dot = 0.0f;
            for (int i = 0; i < VECTORS; i++)
                dot += LOAD(i, head) * state_load(row, i);
            float score = lanes_sum(dot);
            if (softcap != 0.0f)
                score = softcap * tanh(score / softcap);
            scores[j] = score;
            top = fmax(top, score);
        }
        const float faded = exp(most - top);
        most = top;
        total *= faded;
        for (int i = 0; i < VECTORS; i++)
            sum[i] *= faded;
        for (int j = 0; j < count; j++) {
            const int p = chunk + j;
            __global const uchar *row = v_state + v_state_at +
                state_row(HET_INTS(pages)[s.entry + p / page_size], g, kv_heads, page_size,
                          p % page_size);
            const float share = exp(scores[j] - top);
            total += share;
            for (int i = 0; i < VECTORS; i++)
                sum[i] += share * state_load(row, i);
        }
    }
    __global float *to = HET_FLOATS_OUT(y) + query * SIZE;
    float factor = 1.0f / total;
    if (splits > 1) {
        __global float *part = part_of(parts, parts_at, query, splits, split);
        part[0] = most;
        part[1] = total;
        to = part + 2;
        factor = 1.0f;
    }
    for (int i = 0; i < VECTORS; i++)
        STORE(sum[i] * factor, i, to);
}

#else
/* A group has a query of one head and a span of positions. Items have a position each while scores
 * are found, and VEC columns of a share of the positions while values are summed. */
#define COLUMNS (VECTORS < GROUP ? VECTORS : GROUP)  /* items side by side */
#define SHARES (GROUP / COLUMNS)                     /* shares of the positions */
#define OWN ((SIZE_MOST / VEC + GROUP - 1) / GROUP)  /* vectors of an item */

HET_SUBGROUP_KERNEL
__kernel void attend(ATTEND_ARGUMENTS)
{
    __local float head[SIZE_MOST];
    __local float room[HET_ROOM];
    __local float scores[GROUP];
    __local float sums[GROUP * VEC];
    const int item = (int)get_local_id(0), h = (int)get_group_id(0), t = (int)get_group_id(1);
    const int split = (int)get_group_id(2);
    const sight s = sight_of(HET_INTS(segments), segment_count, t, window);
    if (s.last < s.first)
        return;
    const ulong query = (ulong)t * heads + h;
    make_head(HET_FLOATS(q) + query * SIZE, HET_FLOATS(weight), eps, HET_FLOATS(turns),
              HET_INTS(positions)[t], magnitude, scale, head, room);
    const int begin = s.first + split * span;
    const int end = splits == 1 ? s.last + 1 : min(begin + span, s.last + 1);
    const int g = h / (heads / kv_heads), column = item % COLUMNS, share_of = item / COLUMNS;
    float most = -FLT_MAX, total = 0.0f;
    lanes sum[OWN];
    for (int i = 0; i < OWN; i++)
        sum[i] = 0.0f;
    for (int chunk = begin; chunk < end; chunk += GROUP) {
        const int count = min(GROUP, end - chunk);
        float score = -FLT_MAX;
        if (item < count) {
            const int p = chunk + item;
            __global const uchar *row = k_state + k_state_at +
                state_row(HET_INTS(pages)[s.entry + p / page_size], g, kv_heads, page_size,
                          p % page_size);
            lanes dot = 0.0f;
            for (int i = 0; i < VECTORS; i++)
                dot += LOAD(i, head) * state_load(row, i);
            score = lanes_sum(dot);
            if (softcap != 0.0f)
                score = softcap * tanh(score / softcap);
        }
        const float top = fmax(most, het_group_max(score, room));
        const float share = item < count ? exp(score - top) : 0.0f;
        const float faded = exp(most - top);
        most = top;
        scores[item] = share;
        total = total * faded + het_group_sum(share, room); /* waits for the scores, too */
        for (int i = 0; i < OWN; i++)
            sum[i] *= faded;
        for (int j = share_of; j < count && share_of < SHARES; j += SHARES) {
            const int p = chunk + j;
            __global const uchar *row = v_state + v_state_at +
                state_row(HET_INTS(pages)[s.entry + p / page_size], g, kv_heads, page_size,
                          p % page_size);
            for (int i = 0; i < OWN; i++)
                if (column + i * GROUP < VECTORS)
                    sum[i] += scores[j] * state_load(row, column + i * GROUP);
        }
        barrier(CLK_LOCAL_MEM_FENCE); /* before the next scores */
    }
    __global float *to = HET_FLOATS_OUT(y) + query * SIZE;
    float factor = 1.0f / total;
    if (splits > 1) {
        __global float *part = part_of(parts, parts_at, query, splits, split);
        if (item == 0) {
            part[0] = most;
            part[1] = total;
        }
        to = part + 2;
        factor = 1.0f;
    }
    for (int i = 0; i < OWN; i++) {
        STORE(sum[i], item, sums);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (share_of == 0 && column + i * GROUP < VECTORS) {
            lanes all = sum[i];
            for (int other = 1; other < SHARES; other++)
                all += LOAD(column + other * COLUMNS, sums);
            STORE(all * factor, column + i * GROUP, to);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
#endif

/* An item has an element of a query's result. */
__kernel void merge(HET_IN(segments), __global float *parts, const ulong parts_at, HET_OUT(y),
                    const int heads, const int tokens, const int segment_count, const int splits)
{
    const int i = (int)get_global_id(0), t = (int)get_global_id(1);
    if (i >= heads * SIZE || t >= tokens)
        return;
    const sight s = sight_of(HET_INTS(segments), segment_count, t, 0);
    if (s.last < s.first)
        return;
    const ulong query = (ulong)t * heads + i / SIZE;
    float most = -FLT_MAX, total = 0.0f, sum = 0.0f;
    for (int split = 0; split < splits; split++)
        most = fmax(most, part_of(parts, parts_at, query, splits, split)[0]);
    for (int split = 0; split < splits; split++) {
        __global const float *part = part_of(parts, parts_at, query, splits, split);
        const float share = exp(part[0] - most);
        total += share * part[1];
        sum += share * part[2 + i % SIZE];
    }
    HET_FLOATS_OUT(y)[query * SIZE + i % SIZE] = sum / total;
}
#endif
