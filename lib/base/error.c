/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "het_config.h"

static void fill(het_error *err, het_status status, int32_t native_code, const char *format,
                 va_list args)
{
    if (!err || err->struct_size < offsetof(het_error, message) + 2)
        return;
    const size_t room = err->struct_size < sizeof *err
                            ? err->struct_size - offsetof(het_error, message)
                            : sizeof err->message;
    err->status = status;
    err->native_code = native_code;
    err->layer = -1;
    memset(err->backend, 0, sizeof err->backend);
    vsnprintf(err->message, room, format, args);
}

het_status het__fail(het_error *err, het_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, status, 0, format, args);
    va_end(args);
    return status;
}

het_status het__fail_native(het_error *err, het_status status, int32_t native_code,
                            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, status, native_code, format, args);
    va_end(args);
    return status;
}

het_status het__fail_nomem(het_error *err, const char *what)
{
    return het__fail(err, HET_E_NOMEM, "out of memory for %s", what);
}

het_status het__require_failed(het_error *err, const char *function, const char *condition)
{
#if HET_DEBUG_ABORT
    fprintf(stderr, "hetinfer: %s: requires %s\n", function, condition);
    abort();
#endif
    return het__fail(err, HET_E_INVALID, "%s requires %s", function, condition);
}
