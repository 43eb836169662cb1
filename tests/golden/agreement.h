/* SPDX-License-Identifier: Apache-2.0 */
/* How well a session that computes in integers agrees with one that does not, on the texts of the
 * embedded model: the share of positions with the same best token, and how far logits are apart,
 * measured by how far they spread about their mean. */
#ifndef HETINFER_TEST_AGREEMENT_H
#define HETINFER_TEST_AGREEMENT_H

#include <hetinfer.h>
#include <jansson.h>

#include "test.h"

#define AGREEMENT_ROWS_MAX 256
#define AGREEMENT_VOCABULARY 2048
#define AGREEMENT_SHARE 0.98    /* of best tokens, at least */
#define AGREEMENT_RELATIVE 0.05 /* of the spread, at most: eight bits through a few layers */

typedef struct agreement {
    size_t rows, same;
    double squares, most, spread; /* of differences; of logits, about their mean */
} agreement;

static inline size_t agreement_best(const float *logits)
{
    size_t best = 0;
    for (size_t i = 1; i < AGREEMENT_VOCABULARY; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static inline size_t agreement_read(const json_t *array, int32_t *ids, size_t count)
{
    for (size_t i = 0; i < json_array_size(array) && count < AGREEMENT_ROWS_MAX; i++)
        ids[count++] = (int32_t)json_integer_value(json_array_get(array, i));
    return count;
}

/* Logits of all positions, fed in pieces of several sizes. */
static inline void agreement_feed(het_session *session, const int32_t *ids, size_t count,
                                  float *rows)
{
    static const size_t sizes[] = { 64, 33, 1, 7 };
    het_sequence *q = NULL;
    size_t fed = 0, turn = 0;
    CHECK_INT(het_sequence_create(session, &q, NULL), HET_OK);
    while (q && fed < count) {
        size_t n = sizes[turn++ % 4];
        n = n < count - fed ? n : count - fed;
        CHECK_INT(het_sequence_append(q, ids + fed, n, HET_APPEND_LOGITS_ALL, NULL), HET_OK);
        fed += n;
        while (het_sequence_pending(q) > 0) {
            het_error err = HET_ERROR_INIT;
            int64_t first = 0;
            uint32_t got = 0;
            if (het_session_step(session, NULL, &err) != HET_OK) {
                TEST_FAIL("step: %s", err.message);
                fed = count;
                break;
            }
            const float *logits = het_sequence_logits(q, &first, &got);
            memcpy(rows + (size_t)first * AGREEMENT_VOCABULARY, logits,
                   got * AGREEMENT_VOCABULARY * sizeof *rows);
        }
    }
    het_sequence_destroy(q);
}

static inline void agreement_add(agreement *g, const float *a, const float *b, size_t rows)
{
    for (size_t r = 0; r < rows; r++, a += AGREEMENT_VOCABULARY, b += AGREEMENT_VOCABULARY) {
        double mean = 0;
        for (size_t i = 0; i < AGREEMENT_VOCABULARY; i++)
            mean += (double)a[i] / AGREEMENT_VOCABULARY;
        for (size_t i = 0; i < AGREEMENT_VOCABULARY; i++) {
            const double x = (double)a[i];
            const double d = x - (double)b[i];
            g->squares += d * d;
            g->most = fabs(d) > g->most ? fabs(d) : g->most;
            g->spread += (x - mean) * (x - mean);
        }
        g->same += agreement_best(a) == agreement_best(b);
    }
    g->rows += rows;
}

/* All texts through both; sessions take logits of 64 positions at a time and AGREEMENT_ROWS_MAX in
 * all. */
static inline void agreement_check(het_session *alone, het_session *other)
{
    static float a[AGREEMENT_ROWS_MAX * AGREEMENT_VOCABULARY];
    static float b[AGREEMENT_ROWS_MAX * AGREEMENT_VOCABULARY];
    char path[512];
    agreement g = { 0 };
    json_t *const j = json_load_file(
        test_source_path(path, sizeof path, "tests/models/reference/hearth.json"), 0, NULL);
    size_t i;
    json_t *prompt;
    CHECK(j && alone && other);
    json_array_foreach(json_object_get(j, "prompts"), i, prompt) {
        int32_t ids[AGREEMENT_ROWS_MAX];
        size_t n = agreement_read(json_object_get(prompt, "prompt_ids"), ids, 0);
        n = agreement_read(json_object_get(prompt, "greedy_ids"), ids, n);
        if (!alone || !other)
            break;
        agreement_feed(alone, ids, n, a);
        agreement_feed(other, ids, n, b);
        agreement_add(&g, a, b, n);
    }
    const double share = g.rows ? (double)g.same / (double)g.rows : 0;
    const double relative = sqrt(g.squares / g.spread);
    printf("%u rows: top-1 agreement %.2f %%, differences %.4f of the logits' spread, at most "
           "%.3f\n", (unsigned)g.rows, 100 * share, relative, g.most);
    CHECK(g.rows > 300);
    CHECK(share >= AGREEMENT_SHARE);
    CHECK(relative <= AGREEMENT_RELATIVE);
    json_decref(j);
}

#endif /* HETINFER_TEST_AGREEMENT_H */
