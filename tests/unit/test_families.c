/* SPDX-License-Identifier: Apache-2.0 */
/* Logits of every family against a transformer written here in double precision, one position at a
 * time, from the tensors that the model file was made of. */
#include <hetinfer.h>

#include "tiny_model.h"

#define LENGTH_MAX 96

/* ---- the plain computation ---- */

typedef struct plain {
    const tiny_model *m;
    double *k, *v; /* [layer][position][kv_heads * head_size] */
} plain;

static const float *weight(const tiny_model *m, int layer, const char *name)
{
    char full[64];
    if (layer < 0)
        snprintf(full, sizeof full, "%s", name);
    else
        snprintf(full, sizeof full, "blk.%d.%s", layer, name);
    const tiny_tensor *t = tiny_tensor_of(m, full);
    return t ? t->values : NULL;
}

/* y = W x + bias, rows from `first` of a matrix. */
static void multiply(const float *w, uint32_t first, uint32_t rows, uint32_t columns,
                     const double *x, const float *bias, double *y)
{
    for (uint32_t r = 0; r < rows; r++) {
        double sum = bias ? (double)bias[r] : 0;
        for (uint32_t c = 0; c < columns; c++)
            sum += (double)w[(size_t)(first + r) * columns + c] * x[c];
        y[r] = sum;
    }
}

static void rms(const double *x, const float *w, uint32_t n, double *y)
{
    double squares = 0;
    for (uint32_t i = 0; i < n; i++)
        squares += x[i] * x[i];
    const double scale = 1 / sqrt(squares / n + (double)1e-5f);
    for (uint32_t i = 0; i < n; i++)
        y[i] = x[i] * scale * (double)w[i];
}

/* Llama turns neighbours, the others turn halves. */
static void turn(const tiny_model *m, double *head, int position)
{
    const tiny_options *o = &m->o;
    const uint32_t n = o->rotated ? o->rotated : o->head_size;
    const bool neighbours = strcmp(o->architecture, "llama") == 0;
    const float *factors = weight(m, -1, "rope_freqs.weight");
    for (uint32_t i = 0; i < n / 2; i++) {
        double angle = position * pow(o->theta > 0 ? (double)o->theta : 10000.0, -2.0 * i / n);
        angle /= factors ? (double)factors[i] : 1;
        double *a = &head[neighbours ? 2 * i : i], *b = &head[neighbours ? 2 * i + 1 : i + n / 2];
        const double x = *a, y = *b;
        *a = x * cos(angle) - y * sin(angle);
        *b = x * sin(angle) + y * cos(angle);
    }
}

static void heads_ready(const tiny_model *m, double *x, uint32_t heads, const float *norm,
                        int position)
{
    for (uint32_t h = 0; h < heads; h++) {
        double *head = x + h * m->o.head_size;
        if (norm)
            rms(head, norm, m->o.head_size, head);
        turn(m, head, position);
    }
}

static void attend(const plain *p, int layer, int position, const double *q, double *out)
{
    const tiny_options *o = &p->m->o;
    const uint32_t d = o->head_size, row = o->kv_heads * d;
    const double *keys = p->k + (size_t)layer * LENGTH_MAX * row;
    const double *values = p->v + (size_t)layer * LENGTH_MAX * row;
    const int unseen = o->window ? position + 1 - (int)o->window : 0;
    const int first = unseen > 0 ? unseen : 0;
    for (uint32_t h = 0; h < o->heads; h++) {
        const uint32_t group = h / (o->heads / o->kv_heads);
        double score[LENGTH_MAX], sum = 0;
        for (int t = first; t <= position; t++) {
            double dot = 0;
            for (uint32_t i = 0; i < d; i++)
                dot += q[h * d + i] * keys[(size_t)t * row + group * d + i];
            score[t] = exp(dot / sqrt((double)d));
            sum += score[t];
        }
        for (uint32_t i = 0; i < d; i++) {
            out[h * d + i] = 0;
            for (int t = first; t <= position; t++)
                out[h * d + i] += score[t] / sum * values[(size_t)t * row + group * d + i];
        }
    }
}

static void attention(const plain *p, int layer, int position, double *x)
{
    const tiny_model *m = p->m;
    const tiny_options *o = &m->o;
    const uint32_t qn = o->heads * o->head_size, row = o->kv_heads * o->head_size;
    double normed[512], q[512], out[512], add[512];
    double *k = p->k + ((size_t)layer * LENGTH_MAX + (size_t)position) * row;
    double *v = p->v + ((size_t)layer * LENGTH_MAX + (size_t)position) * row;
    rms(x, weight(m, layer, "attn_norm.weight"), o->width, normed);
    const float *fused = weight(m, layer, "attn_qkv.weight");
    if (fused) {
        multiply(fused, 0, qn, o->width, normed, NULL, q);
        multiply(fused, qn, row, o->width, normed, NULL, k);
        multiply(fused, qn + row, row, o->width, normed, NULL, v);
    } else {
        multiply(weight(m, layer, "attn_q.weight"), 0, qn, o->width, normed,
                 weight(m, layer, "attn_q.bias"), q);
        multiply(weight(m, layer, "attn_k.weight"), 0, row, o->width, normed,
                 weight(m, layer, "attn_k.bias"), k);
        multiply(weight(m, layer, "attn_v.weight"), 0, row, o->width, normed,
                 weight(m, layer, "attn_v.bias"), v);
    }
    heads_ready(m, q, o->heads, weight(m, layer, "attn_q_norm.weight"), position);
    heads_ready(m, k, o->kv_heads, weight(m, layer, "attn_k_norm.weight"), position);
    attend(p, layer, position, q, out);
    multiply(weight(m, layer, "attn_output.weight"), 0, o->width, qn, out, NULL, add);
    for (uint32_t i = 0; i < o->width; i++)
        x[i] += add[i];
}

static void feed_forward(const tiny_model *m, int layer, double *x)
{
    const tiny_options *o = &m->o;
    double normed[512], gate[512], up[512], add[512];
    rms(x, weight(m, layer, "ffn_norm.weight"), o->width, normed);
    const float *wg = weight(m, layer, "ffn_gate.weight"), *wu = weight(m, layer, "ffn_up.weight");
    multiply(wg ? wg : wu, 0, o->ffn, o->width, normed, NULL, gate);
    multiply(wu, wg ? 0 : o->ffn, o->ffn, o->width, normed, NULL, up);
    for (uint32_t i = 0; i < o->ffn; i++)
        gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i];
    multiply(weight(m, layer, "ffn_down.weight"), 0, o->width, o->ffn, gate, NULL, add);
    for (uint32_t i = 0; i < o->width; i++)
        x[i] += add[i];
}

/* Logits of every position into out[position * vocabulary]. */
static void plain_run(const tiny_model *m, const int32_t *ids, int count, double *out)
{
    const tiny_options *o = &m->o;
    const size_t kv = (size_t)o->layers * LENGTH_MAX * o->kv_heads * o->head_size;
    plain p = { m, calloc(kv, sizeof(double)), calloc(kv, sizeof(double)) };
    const float *table = weight(m, -1, "token_embd.weight");
    const float *head = weight(m, -1, "output.weight");
    for (int t = 0; t < count; t++) {
        double x[512], normed[512];
        for (uint32_t i = 0; i < o->width; i++)
            x[i] = (double)table[(size_t)ids[t] * o->width + i];
        for (int l = 0; l < (int)o->layers; l++) {
            attention(&p, l, t, x);
            feed_forward(m, l, x);
        }
        rms(x, weight(m, -1, "output_norm.weight"), o->width, normed);
        multiply(head ? head : table, 0, o->vocabulary, o->width, normed, NULL,
                 out + (size_t)t * o->vocabulary);
    }
    free(p.k);
    free(p.v);
}

/* ---- the library ---- */

static const char *device;

static double library_worst(const tiny_model *m, const int32_t *ids, int count, const double *want)
{
    het_error err = HET_ERROR_INIT;
    het_context *context = NULL;
    het_model *model = NULL;
    het_session *session = NULL;
    het_sequence *q = NULL;
    het_session_options o = HET_SESSION_OPTIONS_INIT;
    o.kv_dtype = HET_DTYPE_F32;
    o.precision = HET_PRECISION_EXACT;
    o.logits_max = LENGTH_MAX;
    o.context_max = LENGTH_MAX;
    o.threads = 2;
    o.devices = device;
    het_status s = het_context_create(NULL, &context, &err);
    if (s == HET_OK)
        s = het_model_load_memory(context, m->file, m->bytes, NULL, &model, &err);
    if (s == HET_OK)
        s = het_session_create(model, &o, &session, &err);
    if (s == HET_OK)
        s = het_sequence_create(session, &q, &err);
    if (s == HET_OK)
        s = het_sequence_append(q, ids, (size_t)count, HET_APPEND_LOGITS_ALL, &err);
    if (s == HET_OK)
        s = het_session_step(session, NULL, &err);
    double worst = INFINITY;
    if (s != HET_OK) {
        TEST_FAIL("%s: %s", het_status_name(s), err.message);
    } else {
        uint32_t rows = 0;
        const float *got = het_sequence_logits(q, NULL, &rows);
        CHECK_INT(rows, count);
        worst = 0;
        for (size_t i = 0; got && i < (size_t)count * m->o.vocabulary; i++) {
            const double d = fabs((double)got[i] - want[i]);
            worst = d <= worst ? worst : isnan(d) ? INFINITY : d;
        }
    }
    het_sequence_destroy(q);
    het_session_destroy(session);
    het_model_destroy(model);
    het_context_destroy(context);
    return worst;
}

static void check(const char *what, const tiny_options *o)
{
    static tiny_model m;
    int32_t ids[LENGTH_MAX];
    uint64_t seed = o->seed + 99;
    const int count = 80; /* more than a page of the cache */
    double *want = calloc((size_t)count * o->vocabulary, sizeof *want);
    tiny_make(&m, o);
    for (int i = 0; i < count; i++)
        ids[i] = (int32_t)((test_random(&seed) >> 33) % o->vocabulary);
    plain_run(&m, ids, count, want);
    double largest = 0;
    for (size_t i = 0; i < (size_t)count * o->vocabulary; i++)
        largest = fmax(largest, fabs(want[i]));
    const double worst = library_worst(&m, ids, count, want);
    printf("%-10s %-30s largest logit %5.2f, worst difference %.2e\n", device, what, largest,
           worst);
    CHECK(largest > 1 && worst < 1e-4);
    tiny_free(&m);
    free(want);
}

static void families(void)
{
    tiny_options o = TINY_LLAMA;
    check("llama", &o);
    o.tied = true;
    o.seed++;
    check("llama, tied", &o);
    o.factors = 8;
    check("llama, frequency factors", &o);
    o.factors = 0;
    o.rotated = 8;
    o.theta = 500000;
    check("llama, half a head turns", &o);
    o = (tiny_options)TINY_LLAMA;
    o.head_size = 24; /* 4 heads of 24 in a width of 64 */
    check("llama, heads of their own size", &o);
    o.kv_heads = 4;
    o.window = 20;
    check("llama, window of 20", &o);
    o = (tiny_options)TINY_LLAMA;
    o.architecture = "qwen2";
    check("qwen2: biases", &o);
    o.kv_heads = 1;
    check("qwen2: one key head", &o);
    o.architecture = "qwen3";
    o.head_size = 32;
    check("qwen3: head norms", &o);
    o = (tiny_options)TINY_LLAMA;
    o.architecture = "phi3";
    check("phi3: fused weights", &o);
    o.window = 33;
    check("phi3: window of 33", &o);
}

int main(void)
{
    het_context *context = NULL;
    CHECK_INT(het_context_create(NULL, &context, NULL), HET_OK);
    for (uint32_t i = 0; context && i < het_context_device_count(context); i++) {
        het_device_info info = { .struct_size = sizeof info };
        CHECK_INT(het_device_get_info(het_context_device(context, i), &info), HET_OK);
        device = info.backend;
        test_case(families);
    }
    het_context_destroy(context);
    return test_finish();
}
