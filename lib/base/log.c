/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/log.h"

#include <stdarg.h>
#include <stdio.h>

void het__log_init(het__log *log, het_log_fn fn, void *user, het_log_level level)
{
    log->fn = fn;
    log->user = user;
    log->level = level;
    het__mutex_init(&log->lock);
}

void het__log_finish(het__log *log)
{
    het__mutex_finish(&log->lock);
}

void het__log_line(het__log *log, het_log_level level, const char *component, const char *format,
                   ...)
{
    if (!log || !log->fn || level > log->level)
        return;
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    het__mutex_lock(&log->lock);
    log->fn(log->user, level, component, line);
    het__mutex_unlock(&log->lock);
}
