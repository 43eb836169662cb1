/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that are compiled once for each level, by the name of a level. */
#include <string.h>

#include "backends/cpu_onednn/attention_math.h"
#include "backends/cpu_onednn/image_math.h"
#include "backends/cpu_onednn/qimage_math.h"
#include "backends/cpu_onednn/recurrent_math.h"
#include "backends/cpu_onednn/resize_math.h"
#include "backends/cpu_onednn/row_math.h"
#include "backends/cpu_onednn/tensor_math.h"

#if HET_CPU_X86 /* set by the build: the levels of x86 are there */
#define KIND(kind)                                                             \
    extern const het__##kind##_math het__##kind##_math_generic;                \
    extern const het__##kind##_math het__##kind##_math_avx2;                   \
    extern const het__##kind##_math het__##kind##_math_avx2vnni;               \
    extern const het__##kind##_math het__##kind##_math_avx512;                 \
    const het__##kind##_math *het__##kind##_math_for(const char *level)        \
    {                                                                          \
        return strcmp(level, "avx512") == 0     ? &het__##kind##_math_avx512   \
               : strcmp(level, "avx2vnni") == 0 ? &het__##kind##_math_avx2vnni \
               : strcmp(level, "avx2") == 0     ? &het__##kind##_math_avx2     \
                                                : &het__##kind##_math_generic; \
    }
#else
#define KIND(kind)                                                             \
    extern const het__##kind##_math het__##kind##_math_generic;                \
    const het__##kind##_math *het__##kind##_math_for(const char *level)        \
    {                                                                          \
        (void)level;                                                           \
        return &het__##kind##_math_generic;                                    \
    }
#endif

KIND(attention)
KIND(image)
KIND(qimage)
KIND(recurrent)
KIND(resize)
KIND(row)
KIND(tensor)
