/* SPDX-License-Identifier: Apache-2.0 */
/* How a device cuts products with constant matrices that it can run only in fixed pieces. */
#ifndef HET_IR_PRODUCT_UNIT_H
#define HET_IR_PRODUCT_UNIT_H

#include <stdint.h>

/* All zero: it does not. */
typedef struct het__product_unit {
    uint32_t rows, inner, columns;    /* extents are padded to multiples of these */
    uint32_t rows_most, columns_most; /* of one start, which takes `inner` terms of the sums */
} het__product_unit;

#endif /* HET_IR_PRODUCT_UNIT_H */
