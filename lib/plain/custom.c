/* SPDX-License-Identifier: Apache-2.0 */
/* An application's own operation: its callback computes. */
#include "lib/ir/custom.h"
#include "lib/plain/plain.h"

het_status het__plain_custom(het__eval *e)
{
    het_op_call call;
    het_status s = het__custom_begin(&call, e, HET__CUSTOM_COMPUTE);
    if (s != HET_OK)
        return s;
    s = het__custom_end(&call, call.op->info.compute(call.op->info.user, &call));
    for (uint32_t o = 0; s == HET_OK && o < e->output_count; o++)
        if (!(call.made >> o & 1))
            return het__eval_refuse(e, "the compute function did not make output %u", o);
    return s;
}
