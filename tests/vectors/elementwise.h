/* SPDX-License-Identifier: Apache-2.0 */
/* Made by make_elementwise.py; the type of a case stands in tests/unit/test_plain_elementwise.c. */
#include "elementwise_unary.h"
#include "elementwise_binary_types.h"
#include "elementwise_binary_shapes.h"
#include "elementwise_binary_special.h"
#include "elementwise_casts.h"
#include "elementwise_quantised.h"
#include "elementwise_random.h"

static const struct {
    const vector_case *cases;
    size_t count;
} elementwise_groups[] = {
    { elementwise_unary,
      sizeof elementwise_unary / sizeof *elementwise_unary },
    { elementwise_binary_types,
      sizeof elementwise_binary_types / sizeof *elementwise_binary_types },
    { elementwise_binary_shapes,
      sizeof elementwise_binary_shapes / sizeof *elementwise_binary_shapes },
    { elementwise_binary_special,
      sizeof elementwise_binary_special / sizeof *elementwise_binary_special },
    { elementwise_casts,
      sizeof elementwise_casts / sizeof *elementwise_casts },
    { elementwise_quantised,
      sizeof elementwise_quantised / sizeof *elementwise_quantised },
    { elementwise_random,
      sizeof elementwise_random / sizeof *elementwise_random },
};
