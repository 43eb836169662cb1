/* SPDX-License-Identifier: Apache-2.0 */
/* What the public handles are. Children hold a reference to their parents, so that handles may be
 * destroyed in any order. */
#ifndef HET_API_HANDLES_H
#define HET_API_HANDLES_H

#include <stdatomic.h>

#include "lib/exec/graph_run.h"
#include "lib/exec/registry.h"
#include "lib/exec/trace.h"
#include "lib/generate/engine.h"
#include "lib/import/config.h"
#include "lib/import/gguf_model.h"
#include "lib/import/hf_model.h"
#include "lib/import/lm_outline.h"
#include "lib/import/onnx.h"
#include "lib/ir/custom.h"
#include "lib/machine/hardware.h"
#include "lib/machine/machine.h"
#include "lib/partition/policy.h"
#include "lib/passes/passes.h"

#include <hetinfer.h>

/* Most host threads of a session. */
#define HET__THREADS_MAX 1024

struct het_device {
    const het_context *context;
    uint32_t index;
};

/* Hardware that devices are, found when a state is first asked for. */
typedef struct het__hardware_cache {
    het__mutex lock; /* of all below; count and list are immutable once count is not 0 */
    uint32_t count;
    const char *root; /* "" or from the environment: immutable */
    het__hardware list[HET__HARDWARE_MAX];
} het__hardware_cache;

/* Immutable after create, but for the atomic and what mem, log, customs and hardware lock
 * themselves. */
struct het_context {
    _Atomic uint32_t refs;
    het__mem mem;
    het__log log;
    het__calibrations calibrations;
    het__registry registry;
    char *kernel_cache; /* folder, or NULL: immutable */
    char *system_root;  /* the same */
    het__custom_list customs;
    het__hardware_cache hardware;
    het_device devices[HET__DEVICES_MAX];
};

/* A language model: what a GGUF file or a Hugging Face folder holds, or a configuration alone. */
typedef struct het__language {
    het__arena arena;
    het__gguf gguf; /* of a folder: its weights as the graph has them; of a configuration: the
                     * tensors that there would be, without data */
    bool is_folder;
    const char *folder; /* its path, NULL: in a package; in the arena */
    het__hf hf;
    het__hf_weights weights; /* of a folder */
    bool is_outline; /* a configuration alone: no weights */
    het_dtype quantized; /* that matrices were put into when they were loaded, or NONE */
    het__config config_file;
    het__lm_outline outline;
    het__lm_config config;
    const het__lm_family *family; /* NULL: inspect only */
    const char **values; /* metadata rendered, per entry */
} het__language;

/* A graph with tensors for inputs and outputs: what an ONNX file holds. */
typedef struct het__network {
    het__arena arena;
    het__onnx onnx;
    het__custom_set customs; /* what its nodes may point to */
    uint32_t *inputs; /* values of the graph, in the order of its ids */
    uint32_t input_count;
    const char **modules;  /* per weight: the operation that reads it */
    het_metadata *entries; /* the file's properties, then operations by name */
    size_t entry_count;
} het__network;

/* Immutable after load, but for the atomic. */
struct het_model {
    _Atomic uint32_t refs;
    het_context *context;
    het__mapping mapping; /* of the file, or unpacked; data NULL: memory of the caller */
    het__package_store *store; /* of weights that are still packed, or NULL */
    het_model_info info;
    bool is_whole; /* false: loaded without its graph */
    het_tokenizer *tokenizer; /* may be NULL */
    /* One of them is not NULL, by the format of the file. */
    het__language *language;
    het__network *network;
};

/* Immutable after create. */
struct het_machine {
    het_context *context; /* a reference */
    het__arena arena;     /* of all that is below */
    het__machine machine;
    const char *text;     /* as a machine file */
};

/* Changed by its setters, which make text and notes anew. */
struct het_policy {
    het_context *context; /* a reference */
    het__policy policy;
    char *text;           /* as a policy file */
    het__arena arena;     /* of the notes */
    het_policy_note *notes;
    uint32_t note_count;
};

/* Immutable after create: what het_calibrate() found. */
struct het_calibration {
    het_context *context; /* a reference */
    uint32_t device_count;
    struct {
        het_calibration_device info;
        het_calibration_class classes[HET__WORK_CLASS_COUNT];
        char *text;
    } device[HET__DEVICES_MAX];
};

struct het_plan {
    het_model *model;       /* a reference; NULL: borrowed from a session */
    het__plan *plan;        /* points to own, or into the session or run */
    het__plan own;
    het__graph_run *run;    /* of a graph, made for its plan; or NULL */
    het__graph graph;       /* that the plan is of, unless it is run's */
    int64_t symbols[HET__SYM_MAX]; /* of its step */
    uint32_t phase;         /* het_phase */
    const het_context *context;
};

/* What the session of a network binds and runs. Run-thread only, but for cancel. */
typedef struct het__network_session {
    het__graph_run *run;
    het__tensor *inputs;  /* per input; dtype NONE: not bound */
    het__tensor *outputs; /* per output, as of the last run */
    void **targets;       /* per output: memory of the caller, or NULL */
    size_t *capacities;   /* per output: bytes at its target */
    bool has_run;         /* outputs are there */
    uint64_t run_count;
    _Atomic uint32_t cancel;
} het__network_session;

/* Run-thread only, but for the atomics (refs, engine.cancel, network->cancel). */
struct het_session {
    _Atomic uint32_t refs; /* the handle and its sequences */
    het_model *model;
    het__network_session *network; /* NULL: of a language model, which has all below */
    het__graph graph;
    het__engine engine;  /* with the executor */
    het__recovery recovery;
    het__exec_request request; /* to make another executor */
    char *weight_cache;  /* a copy, or NULL */
    het__turns turns;   /* of models whose rotation depends on the length */
    het__policy policy; /* a copy; mem NULL: none */
    het_plan plans[HET__PHASE_COUNT];
    het__trace *trace; /* NULL: none */
};

struct het_sequence {
    het_session *session;
    het__stream *stream;
};

void het__context_retain(het_context *context);
void het__context_release(het_context *context);
void het__model_retain(het_model *model);
void het__model_release(het_model *model);
void het__session_retain(het_session *session);
void het__session_release(het_session *session);

/* ---- the two forms of a model: model_language.c, model_network.c ---- */

/* Progress of a load; HET_E_CANCELLED if the callback asks for it. */
het_status het__model_report(const het_model_options *o, double fraction, const char *what,
                             het_error *err);
/* Whether the graph is wanted. */
static inline bool het__model_wants_graph(const het_model_options *o)
{
    return !(o->flags & (HET_MODEL_INSPECT_ONLY | HET_MODEL_TOKENIZER_ONLY));
}
/* Text into one of the fields of het_model_info, cut between characters. */
void het__model_copy(char *target, size_t bytes, const char *text, size_t length);

/* Fill model->language (or network), info, is_whole and tokenizer. On failure what is there is
 * given back by close. */
het_status het__language_open(het_model *model, const void *data, size_t bytes,
                              const het_model_options *o, het_error *err);
/* The same of a config.json: a model without weights. */
het_status het__language_outline(het_model *model, const void *data, size_t bytes,
                                 const het_model_options *o, het_error *err);
/* The same of a package of a GGUF file; without a store nothing of it is kept. */
het_status het__language_package(het_model *model, const het__hf_packed *packed,
                                 const het_model_options *o, het_error *err);
/* The same of a Hugging Face folder. */
het_status het__language_folder(het_model *model, const het__hf_place *place,
                                const het_model_options *o, het_error *err);
/* Who has the bytes of weights that are not where their data says; NULL: all are. */
const het__lender *het__model_lender(const het_model *model);
/* Whether the data lies in a mapped file, whose pages can be read again. */
bool het__language_is_mapped(const het_model *model, const void *data);
void het__language_close(het_model *model);
size_t het__language_metadata_count(const het__language *language);
void het__language_metadata(const het__language *language, size_t index, het_metadata *entry);
size_t het__language_weight_count(const het__language *language);
void het__language_weight(const het__language *language, size_t index, het_weight *weight);

/* path: of the file, beside which external data lies; NULL: there is none. */
het_status het__network_open(het_model *model, const void *data, size_t bytes, const char *path,
                             const het_model_options *o, het_error *err);
void het__network_close(het_model *model);
void het__network_weight(const het__network *network, size_t index, het_weight *weight);
void het__network_input(const het__network *network, uint32_t index, het_port *port);
void het__network_output(const het__network *network, uint32_t index, het_port *port);

/* Extents of a network's inputs. */
typedef struct het__network_shapes {
    const het_tensor_desc *given; /* per input; NULL: as the file has them, and */
    int64_t first, other;         /* where it leaves the first extent, or another, open */
} het__network_shapes;

/* The graph for these; its names and constants are the model's. specialise.c */
het_status het__network_specialise(const het_model *model, const het__network_shapes *shapes,
                                   het__graph *graph, het_error *err);
/* Whether the file leaves the first extent (or another) of an input open. */
bool het__network_is_open(const het__network *network, bool first);

/* The fused graph of a language model for one session or plan. unfused receives the number of
 * nodes before. */
het_status het__model_graph(const het_model *model, het_dtype kv_dtype, het__graph *graph,
                            uint32_t *unfused, het_error *err);
/* The same before fusion: values have the same numbers. */
het_status het__model_graph_spelled(const het_model *model, het_dtype kv_dtype, het__graph *graph,
                                    het_error *err);
/* The fused graph of layers [first, end) by themselves; turns_are_given: with the input "turns". */
het_status het__model_graph_layers(const het_model *model, het_dtype kv_dtype, int32_t first,
                                   int32_t end, bool turns_are_given, het__graph *graph,
                                   uint32_t *unfused, het_error *err);
/* The groups of an analysis, with its members. analysis.c */
struct het__group_report;
const struct het__group_report *het__analysis_report(const het_analysis *analysis);
/* Where the model's weights are found. */
het__lm_source het__model_source(const het_model *model);

/* ---- sessions of networks: session_network.c ---- */

/* Fill session->network; o is checked. */
het_status het__network_session_open(het_session *session, const het_session_options *o,
                                     uint32_t device_mask, het_error *err);
void het__network_session_close(het_session *session);
/* HET_E_INVALID if the session is one of a network: function is for language models. */
het_status het__need_language(const het_session *session, const char *function, het_error *err);
/* Compile for the inputs that are bound. */
het_status het__network_warmup(het_session *session, het_error *err);

#endif /* HET_API_HANDLES_H */
