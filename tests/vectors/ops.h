/* SPDX-License-Identifier: Apache-2.0 */
/* Made by make_ops.py; its macros and types stand in tests/unit/test_ops.c. */
#include "ops_rows.h"
#include "ops_linear.h"
#include "ops_gated.h"
#include "ops_rope.h"
#include "ops_attention.h"
#include "ops_attention_wide.h"
#include "ops_moe.h"
#include "ops_streams.h"

static const struct {
    const ops_case *cases;
    size_t count;
} ops_groups[] = {
    { ops_rows,
      sizeof ops_rows / sizeof *ops_rows },
    { ops_linear,
      sizeof ops_linear / sizeof *ops_linear },
    { ops_gated,
      sizeof ops_gated / sizeof *ops_gated },
    { ops_rope,
      sizeof ops_rope / sizeof *ops_rope },
    { ops_attention,
      sizeof ops_attention / sizeof *ops_attention },
    { ops_attention_wide,
      sizeof ops_attention_wide / sizeof *ops_attention_wide },
    { ops_moe,
      sizeof ops_moe / sizeof *ops_moe },
    { ops_streams,
      sizeof ops_streams / sizeof *ops_streams },
};
