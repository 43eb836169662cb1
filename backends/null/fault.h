/* SPDX-License-Identifier: Apache-2.0 */
/* Between the device and its control: which fault a call meets. */
#ifndef HET_NULL_FAULT_H
#define HET_NULL_FAULT_H

#include "backends/null/null.h"

/* Count a call of a device (0 = the first). True and *fault set if it is to fail; fault->number is
 * then the call's number. */
bool het__null_meets(uint32_t device, het__null_call call, het__null_fault *fault);
/* Arm the faults of the environment's text, unless it was the last text armed. */
het_status het__null_arm_text(const char *text, het_error *err);
bool het__null_buffers_hidden(void);
uint32_t het__null_device_count(void);
uint64_t het__null_memory_bytes(void);
const char *het__null_call_name(het__null_call call);

#endif /* HET_NULL_FAULT_H */
