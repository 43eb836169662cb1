/* SPDX-License-Identifier: Apache-2.0 */
/* A small language model on whatever devices a registry has: a prompt in pieces, then token by
 * token. Every step is checked to allocate nothing. */
#ifndef HETINFER_EXEC_CASE_H
#define HETINFER_EXEC_CASE_H

#include "lib/api/handles.h"
#include "lib/backend.h"

#include "tiny_model.h"

#define VOCABULARY 120
#define LENGTH 90

/* Called at the end with what ran. */
typedef void (*exec_case_look)(const het__exec *exec, const het__engine *engine,
                               const het__graph *graph);

/* Chunks of a prompt, then single tokens; logits of all positions. */
static inline het_status exec_case_run(const het_model *model,
                                       const het__registry *registry, float *rows,
                                       uint32_t *entries, struct het__trace *const *trace,
                                       exec_case_look look, het_error *err)
{
    const het__limits limits = { LENGTH, 1, 32, 32, VOCABULARY, HET__PAGE_SIZE, 0, 0, 0 };
    het__exec_request request = { .registry = registry, .threads = 1,
                                  .device_mask = (1u << registry->count) - 1,
                                  .trace = trace };
    het__graph graph;
    het__engine engine = { 0 };
    het__stream *stream = NULL;
    int32_t ids[LENGTH];
    het__engine_symbols(&limits, request.symbols_max);
    het_status s = het__model_graph(model, HET_DTYPE_F32, &graph, &request.unfused_count, err);
    if (s != HET_OK)
        return s;
    request.graph = &graph;
    het__exec *exec = NULL;
    s = het__exec_create(&request, &exec, err);
    if (s == HET_OK)
        s = het__engine_init(&engine, registry->host.mem, exec, &limits, err);
    if (s == HET_OK)
        s = het__stream_create(&engine, &stream, err);
    for (int i = 0; i < LENGTH; i++)
        ids[i] = i * 37 % VOCABULARY;
    for (int fed = 0; s == HET_OK && fed < LENGTH;) {
        const int n = fed < 70 ? 35 : 1;
        s = het__stream_append(&engine, stream, ids + fed, (size_t)n, true, err);
        fed += n;
        while (s == HET_OK && stream->done < stream->length) {
            const uint64_t allocations = registry->host.mem->count;
            s = het__engine_step(&engine, NULL, err);
            CHECK_INT(registry->host.mem->count, allocations);
            int64_t first;
            uint32_t count;
            const float *got = s ? NULL : het__stream_logits(&engine, stream, &first, &count);
            if (got)
                memcpy(rows + first * VOCABULARY, got, count * VOCABULARY * sizeof *rows);
        }
    }
    *entries = exec ? het__exec_plan_of(exec, 0)->entry_count : 0;
    if (exec && look)
        look(exec, &engine, &graph);
    if (stream)
        het__stream_destroy(&engine, stream);
    het__engine_finish(&engine);
    het__exec_destroy(exec);
    het__graph_finish(&graph);
    return s;
}

#endif /* HETINFER_EXEC_CASE_H */
