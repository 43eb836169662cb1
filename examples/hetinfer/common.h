/* SPDX-License-Identifier: Apache-2.0 */
/* What several commands need: opening a model and a session, reading input, printing. */
#ifndef HETINFER_COMMON_H
#define HETINFER_COMMON_H

#include "options.h"
#include "progress.h"

#include <hetinfer.h>
#include <jansson.h>
#include <stdio.h>

/* Options that several commands share; all zero is the library's choice. */
typedef struct settings {
    const char *devices;
    int64_t threads, context, batch;
    int kv;        /* 0 f16, 1 f32 */
    int precision; /* het_precision */
    const char *dtype; /* of weights that are not there; see settings_model() */
    const char *quantize; /* type that weights get in memory, "auto", or NULL */
    const char *weight_cache;
    const char *policy; /* preset or file */
    const char *trace;  /* file, or NULL */
    bool mapped, pin, quiet, json;
} settings;

/* A model and what was made from it. */
typedef struct engine {
    het_context *context;
    het_model *model;
    het_session *session;
    const het_tokenizer *tokenizer; /* borrowed from model; NULL if it has none */
    const char *selected;           /* for the `devices` of sessions and plans; NULL: all */
    het_model_info info;
    double open_s, session_s;       /* time to open the model, and to make the session */
    double load_s;                  /* both together */
} engine;

/* Declare --quiet and --json. */
void settings_output(options *o, settings *s);
/* Declare --dtype, for commands that take a model without weights. */
void settings_model(options *o, settings *s);
/* Declare --trace, for commands that end with engine_trace(). */
void settings_trace(options *o, settings *s);
/* Declare those that choose where and how a session runs. */
void settings_session(options *o, settings *s);

/* By its name in any case; HET_DTYPE_NONE if there is none. */
het_dtype find_dtype(const char *name);

/* All of these return STATUS_GO, or STATUS_FAILED after a sentence on stderr. */
int engine_context(engine *e, const settings *s);
int engine_model(engine *e, const settings *s, const char *path, uint64_t flags);
/* The preset of that name, else the policy of that file. */
het_status open_policy(const engine *e, const char *name, het_policy **policy, het_error *err);
/* Say what to do with a graph where only a language model will do. */
int engine_need_language(const engine *e, const char *path);
/* more: options beyond the settings, or NULL. */
int engine_session(engine *e, const settings *s, const het_session_options *more);
/* The text itself, or with --json an object of that command's with it. */
int give_text(const settings *s, const char *command, const char *text, size_t bytes);
/* Write what --trace asks for; nothing without it. */
int engine_trace(const engine *e, const settings *s);
void engine_close(engine *e);

/* A sentence on stderr; returns STATUS_FAILED. */
int failure(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same from an error record. */
int failure_of(het_status status, const het_error *err);

/* Whether this is a GGUF file, by its first bytes. */
bool is_gguf(const char *path);
/* All of a file ("-": stdin), NUL-terminated, for free(); NULL after a sentence on stderr. */
char *read_file(const char *path, size_t *bytes);
/* The text given by -p, or in the file given by -f; for free(). */
int read_text(const char *command, const char *text, const char *file, char **result,
              size_t *bytes);
/* "1,2,3" (blanks allowed); for free(). */
int parse_ids(const char *command, const char *text, int32_t **ids, size_t *count);
/* Ids of a text; for free(). */
int encode(const engine *e, const char *text, size_t bytes, uint64_t flags, int32_t **ids,
           size_t *count);

double now_s(void);

/* print.c */
uint64_t peak_memory_bytes(void);
/* The peak starts anew from what is resident now; without effect where the system cannot. */
void peak_memory_forget(void);
/* "1.23 GiB". */
const char *format_bytes(double bytes, char buffer[32]);
/* Text from a file: control characters would drive the reader's terminal. */
void print_safe(const char *text, int width);

/* Text in a page: what has a meaning there is written as a number. */
void html_text(FILE *f, const char *text);

/* A string for JSON; bytes outside ASCII become '?' if the text is not UTF-8. */
json_t *json_text(const char *text, size_t bytes);
/* {"schema": "hetinfer.<command>/1"} */
json_t *json_begin(const char *command);
/* Print and free. */
int json_end(json_t *root);
const char *source_name(uint32_t source);
/* The name of a described machine; NULL for this one, which is "this" or no name. */
const char *machine_name(const char *name);
/* That machine; this one with what a calibration for so many threads (0: one per core) says of its
 * devices. */
int machine_open(const het_context *context, const char *name, int64_t threads,
                 het_machine **machine);
/* Where figures of a machine come from, in a word: "profile", "calibrated" or "probed". */
const char *figures_basis(bool is_profile, bool is_calibrated);
/* Of a het_device_kind. */
const char *kind_name(uint32_t kind);

#endif /* HETINFER_COMMON_H */
