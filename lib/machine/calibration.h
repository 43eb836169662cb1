/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of work that are measured apart: what limits them differs. */
#ifndef HET_MACHINE_CALIBRATION_H
#define HET_MACHINE_CALIBRATION_H

typedef enum het__work_class {
    HET__WORK_MATMUL_ONE = 0, /* one column: weights are read once and used once */
    HET__WORK_MATMUL,         /* many columns */
    HET__WORK_CONV,           /* dense windows */
    HET__WORK_CONV_POINT,     /* windows of one place */
    HET__WORK_CONV_DEPTH,     /* a channel by itself */
    HET__WORK_ATTENTION,
    HET__WORK_MOE,
    HET__WORK_NORM,           /* norms and softmax: along rows */
    HET__WORK_POOL,
    HET__WORK_REDUCE,
    HET__WORK_ELEMENTWISE,
    HET__WORK_GATHER,         /* embeddings and the like: reads by index */
    HET__WORK_MOVE,           /* transposes, concatenations, copies */
    HET__WORK_OTHER,
    HET__WORK_CLASS_COUNT
} het__work_class;

#endif /* HET_MACHINE_CALIBRATION_H */
