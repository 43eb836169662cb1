/* SPDX-License-Identifier: Apache-2.0 */
/* Compile, run, release: see lib/backend.h. */
#ifndef HET_CPU_PROGRAM_H
#define HET_CPU_PROGRAM_H

#include "backends/cpu_onednn/cpu.h"

struct het__buffer {
    void *data;
    size_t bytes;
    bool is_borrowed; /* imported */
};

het_status het__cpu_compile(het__device *device, const het__slice *slice, het__program **program,
                            het_error *err);
void het__cpu_release(het__device *device, het__program *program);
het_status het__cpu_enqueue(het__device *device, het__program *program, const int64_t *symbols,
                            het_error *err);

#endif /* HET_CPU_PROGRAM_H */
