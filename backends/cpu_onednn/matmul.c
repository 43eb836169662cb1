/* SPDX-License-Identifier: Apache-2.0 */
/* Which instruction-set levels can run here: what was compiled, and what processor and operating
 * system allow (the system must save the wide registers: XCR0). */
#include "backends/cpu_onednn/matmul.h"

#include <string.h>

#include "lib/base/os.h"

extern const het__cpu_level het__cpu_level_generic;

#if HET_CPU_X86 /* set by the build: the levels of x86 are there */

#include <cpuid.h>

extern const het__cpu_level het__cpu_level_avx512;
extern const het__cpu_level het__cpu_level_avx2vnni;
extern const het__cpu_level het__cpu_level_avx2;

/* Bits of the feature words (vendors' manuals: CPUID leaves 1 and 7). */
#define LEAF1_ECX_AVX2 (1u << 12 | 1u << 27 | 1u << 28 | 1u << 29) /* FMA OSXSAVE AVX F16C */
#define LEAF7_EBX_AVX2 (1u << 5)
#define LEAF7_EBX_AVX512 (1u << 16 | 1u << 17 | 1u << 30 | 1u << 31) /* F DQ BW VL */
#define LEAF7_ECX_VNNI (1u << 11)
#define LEAF7_1_EAX_AVXVNNI (1u << 4)
#define LEAF7_1_EAX_BF16 (1u << 5)
/* States that the system saves: SSE and AVX; mask registers and both halves of ZMM. */
#define XCR0_AVX 0x06u
#define XCR0_AVX512 0xe6u

typedef struct features {
    bool avx2, avxvnni, avx512;
} features;

static bool has(uint32_t word, uint32_t bits)
{
    return (word & bits) == bits;
}

static features detect(void)
{
    features f = { false, false, false };
    uint32_t a, b, c, d, xcr0, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, LEAF1_ECX_AVX2))
        return f;
    __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
    if (!has(xcr0, XCR0_AVX) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return f;
    const uint32_t subleaves = a, ebx = b, ecx = c;
    uint32_t eax1 = 0;
    if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
        eax1 = a;
    f.avx2 = has(ebx, LEAF7_EBX_AVX2);
    f.avxvnni = f.avx2 && has(eax1, LEAF7_1_EAX_AVXVNNI);
    f.avx512 = f.avx2 && has(xcr0, XCR0_AVX512) && has(ebx, LEAF7_EBX_AVX512)
        && has(ecx, LEAF7_ECX_VNNI) && has(eax1, LEAF7_1_EAX_BF16);
    if (HET_CPU_VNNI_EVEX) /* this build's encoding of the level */
        f.avxvnni = f.avx512;
    return f;
}

const het__cpu_level *const *het__cpu_levels(void)
{
#define AVX512 &het__cpu_level_avx512
#define AVX2VNNI &het__cpu_level_avx2vnni
#define AVX2 &het__cpu_level_avx2
#define GENERIC &het__cpu_level_generic
    static const het__cpu_level *const lists[2][2][5] = {
        { { AVX2, GENERIC }, { AVX2VNNI, AVX2, GENERIC } },
        { { AVX512, AVX2, GENERIC }, { AVX512, AVX2VNNI, AVX2, GENERIC } },
    };
    const features f = detect();
    return f.avx2 ? lists[f.avx512][f.avxvnni] : &lists[0][0][1];
}

#else

const het__cpu_level *const *het__cpu_levels(void)
{
    static const het__cpu_level *const list[] = { &het__cpu_level_generic, NULL };
    return list;
}

#endif

const het__cpu_level *het__cpu_level_choose(bool use_env)
{
    const het__cpu_level *const *levels = het__cpu_levels();
    const char *wanted = use_env ? het__env("HETINFER_CPU_LEVEL") : NULL;
    if (!wanted || !*wanted)
        return levels[0];
    for (; *levels; levels++) {
        if (strcmp((*levels)->name, wanted) == 0)
            return *levels;
    }
    return NULL;
}
