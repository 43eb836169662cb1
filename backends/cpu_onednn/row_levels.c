/* SPDX-License-Identifier: Apache-2.0 */
/* The loops along rows that were compiled, by name of their level. */
#include "backends/cpu_onednn/row_math.h"

#include <string.h>

extern const het__row_math het__row_math_generic;

#if HET_CPU_X86 /* set by the build: the levels of x86 are there */
extern const het__row_math het__row_math_avx512;
extern const het__row_math het__row_math_avx2vnni;
extern const het__row_math het__row_math_avx2;
#endif

const het__row_math *het__row_math_for(const char *level)
{
#if HET_CPU_X86
    if (strcmp(level, "avx512") == 0)
        return &het__row_math_avx512;
    if (strcmp(level, "avx2vnni") == 0)
        return &het__row_math_avx2vnni;
    if (strcmp(level, "avx2") == 0)
        return &het__row_math_avx2;
#else
    (void)level;
#endif
    return &het__row_math_generic;
}
