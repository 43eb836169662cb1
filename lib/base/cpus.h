/* SPDX-License-Identifier: Apache-2.0 */
/* Which processors this process may use, the best first, and how many of them are worth a thread.
 *
 *     [ one of each core, fastest cores first | further threads of these cores | far cores ]
 *       `cores` of them
 *
 * A far core is one without a third-level cache where others have it: the low-power island of some
 * laptop processors, behind a slower road to memory.
 */
#ifndef HET_BASE_CPUS_H
#define HET_BASE_CPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HET__CPUS_MAX 1024

typedef struct het__cpus {
    uint32_t count; /* at least 1 */
    uint32_t cores; /* at least 1 */
    uint16_t id[HET__CPUS_MAX];
} het__cpus;

/* Order processors by what root/sys/devices/system/cpu says of them; what it does not say is taken
 * to be alike. root: "" but in tests. */
void het__cpus_order(const char *root, const uint16_t *allowed, uint32_t count, het__cpus *cpus);
/* Those that the calling thread may run on. */
void het__cpus_get(het__cpus *cpus);

/* First line of root/sys/devices/system/cpu/cpuID/NAME without its line feed. */
bool het__cpus_line(const char *root, uint32_t id, const char *name, char *line, size_t bytes);

#define HET__CPU_KINDS_MAX 4

/* Cores of one highest clock. */
typedef struct het__cpu_kind {
    uint32_t cores;
    uint64_t hertz; /* 0: unknown */
} het__cpu_kind;

/* What the system says of processors beyond their order; 0: nothing. */
typedef struct het__cpu_facts {
    uint32_t kind_count;  /* at least 1 */
    het__cpu_kind kind[HET__CPU_KINDS_MAX]; /* best first; the last has all the rest */
    uint64_t near_bytes;  /* second-level cache of the best core, its share where several have it */
    uint64_t cache_bytes; /* third-level caches, all together */
} het__cpu_facts;

/* Of the processors in cpus, which root/sys and root/proc describe. */
void het__cpus_describe(const char *root, const het__cpus *cpus, het__cpu_facts *facts);
/* Memory of the machine as root/proc/meminfo says; 0 if it does not. */
uint64_t het__cpus_memory(const char *root);

/* Whole processors' worth of time that the process's control groups grant, at least 1; 0: no
 * limit. */
uint32_t het__cpus_quota(const char *root);

/* Threads of a session when nobody says how many. */
uint32_t het__cpus_default(void);
/* Threads that can run at the same time. */
uint32_t het__cpus_usable(void);

/* Keep the calling thread on one processor. */
bool het__cpus_pin(uint32_t id);

#endif /* HET_BASE_CPUS_H */
