/* SPDX-License-Identifier: Apache-2.0 */
/* Computations with known results: a product, and a small graph, both through the public interface
 * on one device alone. All numbers are -1, 0 or 1 and all sums small whole numbers, which every
 * type of arithmetic here holds exactly (also eight bits with a scale per channel), so that a
 * device that works gives the very numbers that integers on the host give. */
#include "doctor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 16
#define INNER 64
#define WIDE 32
#define NARROW 8
/* Scales of eight-bit weights are not exact in binary; results are whole numbers. */
#define CLOSE 0.001f
#define FILE_BYTES 16384

/* ---- a file of the ONNX format, in memory ---- */

typedef struct bytes {
    size_t count;
    uint8_t at[FILE_BYTES];
} bytes;

static void put(bytes *b, const void *data, size_t count)
{
    if (count <= sizeof b->at - b->count) { /* all that is made here fits */
        memcpy(b->at + b->count, data, count);
        b->count += count;
    }
}

static void put_varint(bytes *b, uint64_t value)
{
    do {
        const uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        put(b, &byte, 1);
        value >>= 7;
    } while (value);
}

static void put_number(bytes *b, unsigned field, uint64_t value)
{
    put_varint(b, field << 3);
    put_varint(b, value);
}

static void put_block(bytes *b, unsigned field, const void *data, size_t count)
{
    put_varint(b, field << 3 | 2);
    put_varint(b, count);
    put(b, data, count);
}

static void put_text(bytes *b, unsigned field, const char *text)
{
    put_block(b, field, text, strlen(text));
}

/* inputs: names with a blank between. */
static void put_node(bytes *graph, bytes *part, const char *op, const char *inputs,
                     const char *output)
{
    part->count = 0;
    while (*inputs) {
        const size_t n = strcspn(inputs, " ");
        put_block(part, 1, inputs, n);
        inputs += n + (inputs[n] == ' ');
    }
    put_text(part, 2, output);
    put_text(part, 4, op);
    put_block(graph, 1, part->at, part->count);
}

static void put_weights(bytes *graph, bytes *part, const char *name, const float *data,
                        uint32_t rows, uint32_t columns)
{
    part->count = 0;
    if (rows)
        put_number(part, 1, rows);
    if (columns)
        put_number(part, 1, columns);
    put_number(part, 2, 1); /* F32 */
    put_text(part, 8, name);
    put_block(part, 9, data, sizeof *data * (rows ? rows : 1) * (columns ? columns : 1));
    put_block(graph, 5, part->at, part->count);
}

static void put_port(bytes *graph, unsigned field, const char *name, uint32_t rows,
                     uint32_t columns)
{
    const uint32_t extents[] = { rows, columns };
    uint8_t shape[16], tensor[24], type[32], port[48];
    size_t n = 0, t = 0, k = 0, p = 0;
    for (size_t i = 0; i < 2; i++) { /* a dimension is two bytes: extents are below 128 */
        const uint8_t dimension[] = { 1 << 3 | 2, 2, 1 << 3, (uint8_t)extents[i] };
        memcpy(shape + n, dimension, sizeof dimension);
        n += sizeof dimension;
    }
    const uint8_t head[] = { 1 << 3, 1, 2 << 3 | 2, (uint8_t)n };
    memcpy(tensor, head, sizeof head);
    memcpy(tensor + sizeof head, shape, n);
    t = sizeof head + n;
    type[k++] = 1 << 3 | 2;
    type[k++] = (uint8_t)t;
    memcpy(type + k, tensor, t);
    k += t;
    port[p++] = 1 << 3 | 2;
    port[p++] = (uint8_t)strlen(name);
    memcpy(port + p, name, strlen(name));
    p += strlen(name);
    port[p++] = 2 << 3 | 2;
    port[p++] = (uint8_t)k;
    memcpy(port + p, type, k);
    p += k;
    put_block(graph, field, port, p);
}

static void put_model(bytes *file, const bytes *graph)
{
    static const uint8_t operators[] = { 2 << 3, 13 };
    file->count = 0;
    put_number(file, 1, 8); /* version of the format */
    put_block(file, 7, graph->at, graph->count);
    put_block(file, 8, operators, sizeof operators);
}

/* ---- the numbers ---- */

typedef struct problem {
    float x[ROWS * INNER], w[INNER * WIDE], bias[WIDE], v[WIDE * NARROW];
    float want[ROWS * WIDE]; /* of as many columns as the case has */
    uint32_t columns;
    bytes graph, part, file;
} problem;

/* The same numbers on every machine; every row and column has a 1. */
static float number_at(uint32_t seed, uint32_t i)
{
    uint32_t h = (i + 1) * 2654435761u ^ seed * 2246822519u;
    h ^= h >> 15;
    h *= 2246822519u;
    h ^= h >> 13;
    return (float)(int)(h % 3) - 1;
}

static void fill(float *data, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++)
        data[i] = number_at(seed, (uint32_t)i);
}

static int product_at(const float *a, const float *b, uint32_t inner, uint32_t columns,
                      uint32_t row, uint32_t column)
{
    int sum = 0;
    for (uint32_t k = 0; k < inner; k++)
        sum += (int)a[row * inner + k] * (int)b[k * columns + column];
    return sum;
}

/* y = x w */
static void make_product(problem *p)
{
    p->columns = WIDE;
    for (uint32_t r = 0; r < ROWS; r++)
        for (uint32_t c = 0; c < WIDE; c++)
            p->want[r * WIDE + c] = (float)product_at(p->x, p->w, INNER, WIDE, r, c);
    put_node(&p->graph, &p->part, "MatMul", "x w", "y");
    put_text(&p->graph, 2, "product");
    put_weights(&p->graph, &p->part, "w", p->w, INNER, WIDE);
    put_port(&p->graph, 11, "x", ROWS, INNER);
    put_port(&p->graph, 12, "y", ROWS, WIDE);
}

/* y = clip(x w + bias, 0, 1) v */
static void make_graph(problem *p)
{
    static const float limits[] = { 0, 1 };
    float hidden[ROWS * WIDE];
    p->columns = NARROW;
    for (uint32_t r = 0; r < ROWS; r++)
        for (uint32_t c = 0; c < WIDE; c++) {
            const int sum = product_at(p->x, p->w, INNER, WIDE, r, c) + (int)p->bias[c];
            hidden[r * WIDE + c] = sum > 0 ? 1 : 0;
        }
    for (uint32_t r = 0; r < ROWS; r++)
        for (uint32_t c = 0; c < NARROW; c++)
            p->want[r * NARROW + c] = (float)product_at(hidden, p->v, WIDE, NARROW, r, c);
    put_node(&p->graph, &p->part, "MatMul", "x w", "a");
    put_node(&p->graph, &p->part, "Add", "a bias", "b");
    put_node(&p->graph, &p->part, "Clip", "b low high", "h");
    put_node(&p->graph, &p->part, "MatMul", "h v", "y");
    put_text(&p->graph, 2, "graph");
    put_weights(&p->graph, &p->part, "w", p->w, INNER, WIDE);
    put_weights(&p->graph, &p->part, "bias", p->bias, WIDE, 0);
    put_weights(&p->graph, &p->part, "low", &limits[0], 0, 0);
    put_weights(&p->graph, &p->part, "high", &limits[1], 0, 0);
    put_weights(&p->graph, &p->part, "v", p->v, WIDE, NARROW);
    put_port(&p->graph, 11, "x", ROWS, INNER);
    put_port(&p->graph, 12, "y", ROWS, NARROW);
}

/* ---- running ---- */

typedef struct attempt {
    het_context *context;
    const char *backend;
    uint32_t which;
    bool is_only;
} attempt;

/* Of several devices of one backend a policy says which, and that no other takes over. */
static het_status open_session(const attempt *a, const het_model *model, het_session **session,
                               het_error *err)
{
    char text[192];
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    het_policy *policy = NULL;
    o.devices = a->backend;
    het_status status = HET_OK;
    if (!a->is_only) {
        snprintf(text, sizeof text,
                 "hetinfer-policy: 1\nrules:\n  - {must: \"%s:%u\"}\n"
                 "fallback: {on_error: none, on_oom: none, on_timeout: none}\n",
                 a->backend, a->which);
        status = het_policy_load_memory(a->context, text, strlen(text), NULL, &policy, err);
        o.policy = policy;
    }
    if (status == HET_OK)
        status = het_session_create(model, &o, session, err);
    het_policy_destroy(policy);
    return status;
}

static het_tensor tensor_of(float *data, uint32_t rows, uint32_t columns)
{
    het_tensor t = HET_TENSOR_INIT;
    t.data = data;
    t.size_bytes = sizeof *data * rows * columns;
    t.desc.dtype = HET_DTYPE_F32;
    t.desc.rank = 2;
    t.desc.extent[0] = rows;
    t.desc.extent[1] = columns;
    return t;
}

static void compare(const het_tensor *y, const problem *p, known_answer *answer)
{
    const float *got = y->data;
    if (y->size_bytes != sizeof *got * ROWS * p->columns) {
        snprintf(answer->message, sizeof answer->message, "the result has %zu bytes, not %zu",
                 y->size_bytes, sizeof *got * ROWS * p->columns);
        return;
    }
    for (uint32_t i = 0; i < ROWS * p->columns; i++)
        if (!(fabsf(got[i] - p->want[i]) <= CLOSE)) {
            snprintf(answer->message, sizeof answer->message,
                     "element %u of the result is %g, not %g", i, (double)got[i],
                     (double)p->want[i]);
            return;
        }
    answer->verdict = PASSED;
}

static het_status run(const attempt *a, problem *p, het_session **session, het_model **model,
                      known_answer *answer, het_error *err)
{
    het_tensor x = tensor_of(p->x, ROWS, INNER), y = HET_TENSOR_INIT;
    const double start = now_s();
    het_status status =
        het_model_load_memory(a->context, p->file.at, p->file.count, NULL, model, err);
    if (!status)
        status = open_session(a, *model, session, err);
    if (!status)
        status = het_session_bind_input(*session, "x", &x, err);
    if (!status)
        status = het_session_warmup(*session, err);
    const double middle = now_s();
    if (!status)
        status = het_session_run(*session, err);
    answer->setup_ms = (middle - start) * 1e3;
    answer->run_ms = (now_s() - middle) * 1e3;
    if (!status)
        status = het_session_get_output(*session, "y", &y, err);
    if (!status)
        compare(&y, p, answer);
    return status;
}

/* Where the device cannot run all of it, nothing is wrong with the device. */
static void answer_one(const attempt *a, void (*make)(problem *p), known_answer *answer)
{
    het_error err = HET_ERROR_INIT;
    het_model *model = NULL;
    het_session *session = NULL;
    problem *p = calloc(1, sizeof *p);
    answer->verdict = FAILED;
    if (!p) {
        snprintf(answer->message, sizeof answer->message, "out of memory");
        return;
    }
    fill(p->x, ROWS * INNER, 1);
    fill(p->w, INNER * WIDE, 2);
    fill(p->bias, WIDE, 3);
    fill(p->v, WIDE * NARROW, 4);
    make(p);
    put_model(&p->file, &p->graph);
    const het_status status = run(a, p, &session, &model, answer, &err);
    if (status) {
        answer->verdict = status == HET_E_UNSUPPORTED ? NOT_RUN : FAILED;
        snprintf(answer->message, sizeof answer->message, "%s",
                 err.message[0] ? err.message : het_status_name(status));
        doctor_hide_home(answer->message);
    }
    het_session_destroy(session);
    het_model_destroy(model);
    free(p);
}

void doctor_answer(het_context *context, const char *backend, uint32_t which, bool is_only,
                   doctor_device *device)
{
    const attempt a = { context, backend, which, is_only };
    device->tests[0].name = "product";
    device->tests[1].name = "graph";
    answer_one(&a, make_product, &device->tests[0]);
    answer_one(&a, make_graph, &device->tests[1]);
}
