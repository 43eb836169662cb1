/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a context: finished lines to the application's callback. */
#ifndef HET_BASE_LOG_H
#define HET_BASE_LOG_H

#include "lib/base/os.h"

#include <hetinfer/context.h>

typedef struct het__log {
    het_log_fn fn; /* immutable; NULL: silence */
    void *user;
    het_log_level level;
    het__mutex lock; /* one line at a time */
} het__log;

void het__log_init(het__log *log, het_log_fn fn, void *user, het_log_level level);
void het__log_finish(het__log *log);
void het__log_line(het__log *log, het_log_level level, const char *component, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

#endif /* HET_BASE_LOG_H */
