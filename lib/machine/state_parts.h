/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of a state share: state.c has what all kinds of device need, state_cpu.c and
 * state_gpu.c the files of each. */
#ifndef HET_MACHINE_STATE_PARTS_H
#define HET_MACHINE_STATE_PARTS_H

#include "lib/machine/gpu_metrics.h"
#include "lib/machine/hardware.h"

#define HET__STATE_NAMES_MAX 64
#define HET__STATE_FILES_MAX 256
#define HET__STATE_TEXT_BYTES 8192

/* What is being filled. */
typedef struct het__reading {
    const char *root;
    const het__hardware *h;
    het_device_state *s;
} het__reading;

bool het__state_knows(const het__reading *r, uint64_t what);
/* The first to tell counts; NAN tells nothing. */
void het__state_tell(const het__reading *r, uint64_t what, double *field, double value);
/* A number that reading it has just left at value. */
void het__state_scaled(const het__reading *r, uint64_t what, double *field, bool is_there,
                       const int64_t *value, double unit);
/* The temperature of a folder of sensors, whose driver's name tells which of them counts. */
void het__state_temperature(const het__reading *r, const char *folder, const char *driver);
/* Energy of the package, and of the part of it that is called so. */
void het__state_energy(const het__reading *r, const char *part);
/* AMD's table, of one GPU, or of the one on the chip with the processor. */
bool het__state_metrics(const char *root, const char *address, het__gpu_metrics *metrics);
bool het__state_chip_metrics(const char *root, het__gpu_metrics *metrics);

void het__state_cpu(const het__reading *r);
void het__state_i915(const het__reading *r);
void het__state_xe(const het__reading *r);
void het__state_amdgpu(const het__reading *r);
void het__state_amdxdna(const het__reading *r);
void het__state_ivpu(const het__reading *r);

#endif /* HET_MACHINE_STATE_PARTS_H */
