/* SPDX-License-Identifier: Apache-2.0 */
/* Unicode normal forms by utf8proc, in memory of our own: code points first, which it sorts and
 * composes in place, then UTF-8 where they were. ASCII is in every form already. */
#include <utf8proc.h>

#include "lib/base/error.h"
#include "lib/text/internal.h"

static bool is_ascii(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

het_status het__normalise(het__mem *mem, het__normal_form form, const char *text, size_t bytes,
                          char **out, size_t *out_bytes, het_error *err)
{
    static const utf8proc_option_t options[] = {
        [HET__FORM_C] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
        [HET__FORM_D] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
        [HET__FORM_KC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
        [HET__FORM_KD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
    };
    const utf8proc_option_t how = options[form];
    const utf8proc_uint8_t *from = (const utf8proc_uint8_t *)text;
    *out = NULL;
    if (is_ascii(text, bytes) || bytes > PTRDIFF_MAX / 64)
        return HET_OK;
    const utf8proc_ssize_t n = utf8proc_decompose(from, (utf8proc_ssize_t)bytes, NULL, 0, how);
    if (n < 0)
        return HET_OK;
    /* One element more for the NUL that the library puts behind the text. */
    utf8proc_int32_t *points = het__alloc(mem, ((size_t)n + 1) * sizeof *points);
    if (!points)
        return het__fail_nomem(err, "encoded text");
    utf8proc_ssize_t done = utf8proc_decompose(from, (utf8proc_ssize_t)bytes, points, n, how);
    if (done == n)
        done = utf8proc_reencode(points, n, how);
    if (done < 0) {
        het__free(mem, points);
        return HET_OK;
    }
    *out = (char *)points;
    *out_bytes = (size_t)done;
    return HET_OK;
}
