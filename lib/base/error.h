/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a caller's het_error, and the check of a caller's arguments. */
#ifndef HET_BASE_ERROR_H
#define HET_BASE_ERROR_H

#include <hetinfer/base.h>

/* Fill err (may be NULL) and return status, so that `return het__fail(…)` reads well. The format
 * gives one sentence without a full stop that names what and where. */
het_status het__fail(het_error *err, het_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with a system's or driver's own code. */
het_status het__fail_native(het_error *err, het_status status, int32_t native_code,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Shorthand for the most common failure. */
het_status het__fail_nomem(het_error *err, const char *what);

/* A caller's mistake: HET_E_INVALID with the text of the condition. Defined as a statement that
 * returns, because it stands only in the first lines of public functions. */
#define HET_REQUIRE(condition, err)                                                        \
    do {                                                                                   \
        if (!(condition))                                                                  \
            return het__require_failed((err), __func__, #condition);                       \
    } while (0)

het_status het__require_failed(het_error *err, const char *function, const char *condition);

#endif /* HET_BASE_ERROR_H */
