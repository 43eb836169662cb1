/* SPDX-License-Identifier: Apache-2.0 */
/* What the public handles are. Children hold a reference to their parents, so that handles may be
 * destroyed in any order. */
#ifndef HET_API_HANDLES_H
#define HET_API_HANDLES_H

#include <stdatomic.h>

#include "lib/exec/registry.h"
#include "lib/generate/engine.h"
#include "lib/import/gguf_model.h"
#include "lib/passes/passes.h"

#include <hetinfer.h>

struct het_device {
    const het_context *context;
    uint32_t index;
};

/* Immutable after create, but for the atomic and what mem and log lock themselves. */
struct het_context {
    _Atomic uint32_t refs;
    het__mem mem;
    het__log log;
    het__registry registry;
    het_device devices[HET__DEVICES_MAX];
};

/* Immutable after load, but for the atomic. */
struct het_model {
    _Atomic uint32_t refs;
    het_context *context;
    het__arena arena;
    het__mapping mapping; /* data NULL: memory of the caller */
    het__gguf gguf;
    het__lm_config config;
    const het__lm_family *family; /* NULL: inspect only */
    het_tokenizer *tokenizer;
    het_model_info info;
    const char **values; /* metadata rendered, per entry */
};

struct het_plan {
    het_model *model;       /* a reference; NULL: borrowed from a session */
    het__plan *plan;        /* points to own, or into the session */
    het__plan own;
    const het_context *context;
};

/* Run-thread only, but for the atomics (refs, engine.cancel). */
struct het_session {
    _Atomic uint32_t refs; /* the handle and its sequences */
    het_model *model;
    het__graph graph;
    het__exec *exec;
    het__engine engine;
    het_plan plans[HET__PHASE_COUNT];
};

struct het_sequence {
    het_session *session;
    het__stream *stream;
};

void het__context_retain(het_context *context);
void het__context_release(het_context *context);
void het__model_retain(het_model *model);
void het__model_release(het_model *model);
void het__session_release(het_session *session);

/* The fused graph of a model for one session or plan. unfused receives the nodes before. */
het_status het__model_graph(const het_model *model, het_dtype kv_dtype, het__graph *graph,
                            uint32_t *unfused, het_error *err);

#endif /* HET_API_HANDLES_H */
