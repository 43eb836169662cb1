/* SPDX-License-Identifier: Apache-2.0 */
/* Equations of Einsum: terms of labels, the ellipsis, and the output that an equation implies. */
#include <assert.h>
#include <string.h>

#include "lib/ir/product.h"

/* A term between commas or behind the arrow. */
typedef struct term {
    const char *text;
    size_t length;
} term;

static int label_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    return c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1;
}

/* Labels of the axes of a term in order; -1 if it is malformed or has more than HET_RANK_MAX.
 * ellipsis: how many axes "..." stands for; a negative one is found from rank. */
static int labels_of(term t, int64_t ellipsis, uint32_t rank, uint8_t labels[HET_RANK_MAX])
{
    int64_t letters = 0;
    for (size_t i = 0; i < t.length; i++)
        letters += label_of(t.text[i]) >= 0;
    if (ellipsis < 0)
        ellipsis = (int64_t)rank - letters;
    uint32_t n = 0;
    bool seen = false;
    for (size_t i = 0; i < t.length; i++) {
        const int label = label_of(t.text[i]);
        if (t.text[i] == ' ')
            continue;
        if (label >= 0) {
            if (n == HET_RANK_MAX)
                return -1;
            labels[n++] = (uint8_t)label;
            continue;
        }
        if (seen || t.length - i < 3 || memcmp(t.text + i, "...", 3) != 0 || ellipsis < 0 ||
            n + ellipsis > HET_RANK_MAX)
            return -1;
        for (int64_t k = 0; k < ellipsis; k++)
            labels[n++] = (uint8_t)(HET__EINSUM_LABELS - ellipsis + k);
        seen = true;
        i += 2;
    }
    return (int)n;
}

/* Term i of the inputs; false if there are not so many. */
static bool input_term(const char *equation, uint32_t i, term *t)
{
    const char *arrow = strstr(equation, "->");
    const char *end = arrow ? arrow : equation + strlen(equation);
    for (const char *at = equation;; at++) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        *t = (term){ at, (size_t)((comma ? comma : end) - at) };
        if (i-- == 0)
            return true;
        if (!comma)
            return false;
        at = comma;
    }
}

static het_status add_input(const het__eval *e, const char *equation, uint32_t i, het__einsum *s)
{
    const het__tensor *t = het__eval_input(e, i);
    uint8_t labels[HET_RANK_MAX];
    term text;
    if (!t || t->dtype != e->inputs[0].dtype)
        return het__eval_refuse(e, "input %u is not of the type of the first", i);
    if (!input_term(equation, i, &text))
        return het__eval_refuse(e, "there is no term for input %u in \"%.60s\"", i, equation);
    if (labels_of(text, -1, t->rank, labels) != (int)t->rank)
        return het__eval_refuse(e, "term %u of \"%.60s\" is not one of rank %u", i, equation,
                                t->rank);
    for (uint32_t k = 0; k < t->rank; k++) {
        int64_t *extent = &s->extent[labels[k]];
        if (*extent >= 0 && *extent != t->extent[k] && *extent != 1 && t->extent[k] != 1)
            return het__eval_refuse(e, "axis %u of input %u is %lld where another is %lld", k, i,
                                    (long long)t->extent[k], (long long)*extent);
        if (*extent < 0 || *extent == 1)
            *extent = t->extent[k];
        s->uses[labels[k]]++;
    }
    return HET_OK;
}

/* The ellipsis, then letters that occur once. */
static het_status imply_output(const het__eval *e, het__einsum *s)
{
    for (uint32_t i = 0; i < HET__EINSUM_LABELS; i++) {
        const uint32_t label = (i + 52) % HET__EINSUM_LABELS;
        if (s->uses[label] == 0 || (label < 52 && s->uses[label] > 1))
            continue;
        if (s->rank == HET_RANK_MAX)
            return het__eval_refuse(e, "the output has more than %d axes", HET_RANK_MAX);
        s->out[s->rank++] = (uint8_t)label;
    }
    return HET_OK;
}

static het_status read_output(const het__eval *e, const char *text, het__einsum *s)
{
    int64_t ellipsis = 0;
    for (uint32_t i = 52; i < HET__EINSUM_LABELS; i++)
        ellipsis += s->uses[i] != 0;
    const int n = labels_of((term){ text, strlen(text) }, ellipsis, 0, s->out);
    if (n < 0)
        return het__eval_refuse(e, "the output \"%.60s\" is malformed", text);
    s->rank = (uint32_t)n;
    for (uint32_t i = 0; i < s->rank; i++)
        if (s->uses[s->out[i]] == 0 || memchr(s->out, s->out[i], i))
            return het__eval_refuse(e, "axis %u of the output \"%.60s\"", i, text);
    return HET_OK;
}

het_status het__einsum_of(const het__eval *e, het__einsum *s)
{
    const char *equation = het__attr_string(e->attrs, "equation", NULL);
    term surplus;
    if (!equation || e->input_count < 1)
        return het__eval_refuse(e, "there is no equation");
    if (input_term(equation, e->input_count, &surplus))
        return het__eval_refuse(e, "\"%.60s\" has terms for more than %u inputs", equation,
                                e->input_count);
    memset(s, 0, sizeof *s);
    for (uint32_t i = 0; i < HET__EINSUM_LABELS; i++)
        s->extent[i] = -1;
    for (uint32_t i = 0; i < e->input_count; i++) {
        const het_status status = add_input(e, equation, i, s);
        if (status != HET_OK)
            return status;
    }
    const char *arrow = strstr(equation, "->");
    return arrow ? read_output(e, arrow + 2, s) : imply_output(e, s);
}

void het__einsum_strides(const het__eval *e, uint32_t i, int64_t strides[HET__EINSUM_LABELS])
{
    const char *equation = het__attr_string(e->attrs, "equation", "");
    const het__tensor *t = &e->inputs[i];
    int64_t steps[HET_RANK_MAX];
    uint8_t labels[HET_RANK_MAX];
    term text;
    bool fits = input_term(equation, i, &text);
    fits = fits && labels_of(text, -1, t->rank, labels) == (int)t->rank;
    assert(fits); /* het__einsum_of() checked it */
    memset(strides, 0, HET__EINSUM_LABELS * sizeof strides[0]);
    het__tensor_strides(t, steps);
    for (uint32_t k = 0; fits && k < t->rank; k++)
        if (t->extent[k] != 1)
            strides[labels[k]] += steps[k];
}
