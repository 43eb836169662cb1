/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of CONV, POOL, BLOCK, UNBLOCK and QCONV. */
#ifndef HET_CPU_IMAGE_H
#define HET_CPU_IMAGE_H

#include "backends/cpu_onednn/cpu.h"
#include "backends/cpu_onednn/image_math.h"

het_status het__cpu_build_image(het__cpu_build *build, const het__node *node);
/* The same where the image holds codes (qimage.c); blocks have the device's width. */
het_status het__cpu_build_qimage(het__cpu_build *build, const het__node *node);
/* Output places of a task of a convolution that has `parts` tasks for each stretch of places: whole
 * tiles, so many that the last thread ends soonest. */
int64_t het__cpu_image_chunk(int64_t parts, int64_t places, int64_t tile, uint32_t threads);
/* Why a node of these kinds cannot run; NULL: it can. */
const char *het__cpu_image_problem(const het__graph *graph, const het__node *node);

#endif /* HET_CPU_IMAGE_H */
