/* SPDX-License-Identifier: Apache-2.0 */
/* Stop strings in a stream: text goes through until a stop string is complete; what may still
 * become one is held back. */
#ifndef HET_GENERATE_STOP_H
#define HET_GENERATE_STOP_H

#include <stdbool.h>
#include <stddef.h>

#include <hetinfer/generate.h>

#define HET__STOP_MAX 16
#define HET__STOP_BYTES_MAX 255

typedef struct het__stop {
    size_t count;
    struct { char text[HET__STOP_BYTES_MAX + 1]; size_t bytes; } string[HET__STOP_MAX];
    char held[HET__STOP_BYTES_MAX + 1]; /* the beginning of some stop string */
    size_t held_bytes;
    bool found;
} het__stop;

het_status het__stop_init(het__stop *stop, const char *const *strings, size_t count,
                          het_error *err);

/* Take text (whole UTF-8 characters) and give on what is safe, through `give`, in pieces that end
 * at character boundaries. Returns false when give returned non-zero or a stop string appeared
 * (stop->found). */
bool het__stop_push(het__stop *stop, const char *text, size_t bytes, het_piece_fn give,
                    void *user);
/* The end of the text: what is held back comes out. */
bool het__stop_flush(het__stop *stop, het_piece_fn give, void *user);

#endif /* HET_GENERATE_STOP_H */
