/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the reader of config.json: typed access to keys, with sentences. */
#ifndef HET_IMPORT_CONFIG_PARTS_H
#define HET_IMPORT_CONFIG_PARTS_H

#include "lib/import/config.h"
#include "lib/import/json.h"

typedef struct het__config_reader {
    const json_t *object; /* of the language model */
    const json_t *root;   /* the file, if object is a part of it */
    const char *type;     /* model_type */
    het_error *err;
    het_status status;    /* first failure */
} het__config_reader;

/* The value of a key, NULL where it is missing or null. */
const json_t *het__config_get(const het__config_reader *r, const char *key);
bool het__config_has(const het__config_reader *r, const char *key);
/* In [least, most]. A key that is missing has the value of the authors' class, or fallback; one
 * that is null has fallback. fallback < least: required. */
int64_t het__config_int(het__config_reader *r, const char *key, int64_t fallback, int64_t least,
                        int64_t most);
/* Likewise; finite. */
double het__config_real(het__config_reader *r, const char *key, double fallback);
bool het__config_bool(het__config_reader *r, const char *key, bool fallback);
/* "" where there is none; cut to the buffer. */
const char *het__config_text(het__config_reader *r, const char *key, char *buffer, size_t bytes);
void het__config_refuse(het__config_reader *r, het_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A finite number of any JSON value. */
bool het__config_number(const json_t *value, double *number);

/* config_list.c: add the entries of an object to those of config, prefix before every key. False
 * when out of memory. */
bool het__config_list(const json_t *object, const char *prefix, het__arena *arena,
                      het__config *config);

/* config_rope.c: after the sizes. */
void het__config_rope(het__config_reader *r, het__arena *arena, het__config *config);

/* config_read.c */
void het__config_fill(het__config_reader *r, het__arena *arena, het__config *config);

#endif /* HET_IMPORT_CONFIG_PARTS_H */
