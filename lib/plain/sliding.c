/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of images under rows of kernels.
 *
 * Only taps inside the image are ever visited, so padding of any size costs nothing and a window
 * wholly in the padding has no rows. */
#include "lib/plain/sliding.h"

#include <string.h>

const het__tap *het__taps(het__eval *e, const het__window *w)
{
    const uint32_t last = w->axes - 1;
    het__tap *taps = het__eval_scratch(e, (size_t)w->kernel[last], sizeof *taps);
    for (int64_t i = 0; taps && i < w->kernel[last]; i++) {
        int64_t first, end;
        het__window_at(w, last, i, &first, &end);
        taps[i].first = first;
        taps[i].count = end - first;
        taps[i].from = first * w->stride[last] - w->begin[last] + i * w->dilation[last];
    }
    return taps;
}

int64_t het__tap_rows_max(const het__window *w)
{
    const uint32_t last = w->axes - 1;
    const int64_t kernel = w->kernel_span / w->kernel[last];
    const int64_t image = w->in[last] ? w->in_span / w->in[last] : 0;
    return kernel < image ? kernel : image;
}

int64_t het__tap_rows(const het__window *w, const int64_t *at, het__tap_row *rows)
{
    const uint32_t last = w->axes - 1;
    int64_t first[HET__WINDOW_AXES], end[HET__WINDOW_AXES], tap[HET__WINDOW_AXES], n = 0;
    for (uint32_t i = 0; i < last; i++) {
        het__window_taps(w, i, at[i], &first[i], &end[i]);
        if (first[i] == end[i])
            return 0;
        tap[i] = first[i];
    }
    if (w->in[last] == 0)
        return 0;
    for (;;) {
        int64_t image = 0, kernel = 0;
        for (uint32_t i = 0; i < last; i++) {
            image = image * w->in[i] + at[i] * w->stride[i] - w->begin[i] + tap[i] * w->dilation[i];
            kernel = kernel * w->kernel[i] + tap[i];
        }
        rows[n++] = (het__tap_row){ image * w->in[last], kernel * w->kernel[last] };
        uint32_t i = last;
        while (i-- > 0) {
            if (++tap[i] < end[i])
                break;
            tap[i] = first[i];
        }
        if (i == UINT32_MAX)
            return n;
    }
}

bool het__tap_next(const het__window *w, int64_t *at)
{
    for (uint32_t i = w->axes - 1; i-- > 0;) {
        if (++at[i] < w->out[i])
            return true;
        at[i] = 0;
    }
    return false;
}

void het__window_flatten(het__window *w)
{
    if (!het__window_is_pointwise(w))
        return;
    w->axes = 1;
    w->in[0] = w->in_span;
    w->out[0] = w->out_span;
}

