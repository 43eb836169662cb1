/* SPDX-License-Identifier: Apache-2.0 */
/* Which products CLBlast makes, and how: it leaves x·w in the output, then one kernel of ours does
 * what else there is to do.
 *
 * Products of F32 with F32 on GPUs, from 128 rows, columns and terms on: its kernels have been
 * tuned on most of them, ours on none, while smaller ones do not pay for the copies that it makes
 * of matrices that are no multiples of its tiles. Never on processors, where its tiles in local
 * memory are several times as slow as our registers. Not its products in F16: they add up in F16,
 * which is outside of what the other devices agree on.
 *
 * HETINFER_OPENCL_CLBLAST is 0 (never) or 1 (wherever it can), for tests and comparisons. */
#include "backends/opencl_igpu/clblast.h"

#include "backends/opencl_igpu/opencl.h"
#include "het_config.h"

#if HET_HAVE_CLBLAST

#include <clblast_c.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/os.h"

#define LEAST 128

static bool is_wanted(const het__gpu_call *call, const het__gpu_product *p, int64_t rows_max)
{
    const char *text = call->gpu->host.use_env ? het__env("HETINFER_OPENCL_CLBLAST") : NULL;
    if (text)
        return strcmp(text, "1") == 0;
    return !call->facts->is_cpu && rows_max >= LEAST && p->columns >= LEAST && p->inner >= LEAST;
}

/* Bytes that a product of so many rows needs besides its operands; 0: it is not to be made. */
static size_t room(het__gpu_call *call, const het__gpu_product *p, size_t rows, size_t w_offset,
                   size_t out_offset, size_t x_offset)
{
    const size_t inner = (size_t)p->inner, columns = (size_t)p->columns;
    cl_command_queue queue = het__cl_device(call->gpu)->queue;
    size_t bytes = 0;
    const CLBlastStatusCode code = CLBlastSGemmTempBufferSize(
        CLBlastLayoutRowMajor, CLBlastTransposeNo,
        p->is_turned ? CLBlastTransposeNo : CLBlastTransposeYes, rows, columns, inner, x_offset,
        inner, w_offset, p->is_turned ? columns : inner, out_offset, columns, &queue, &bytes);
    return code != CLBlastSuccess ? 0 : bytes ? bytes : sizeof(float);
}

het_status het__cl_clblast_init(het__gpu_call *call, het__gpu_product *p, int64_t rows_max,
                                het_error *err)
{
    if (p->dtype != HET_DTYPE_F32 || p->is_grouped || p->is_batched || p->gathers ||
        call->op == HET__OP_GATED || rows_max < 1 || !is_wanted(call, p, rows_max))
        return HET_OK;
    const size_t bytes = room(call, p, (size_t)rows_max, 0, 0, 0);
    if (bytes == 0)
        return HET_OK;
    char options[96];
    snprintf(options, sizeof options, "-DHET_W=1 -DKIND=3 -DHET_ACT=%d", (int)p->act);
    het__gpu_want_scratch(call, bytes);
    return het__gpu_kernel_of(call, "matmul", "matmul_finish", options, &p->finish, err);
}

static het_status finish(het__gpu_call *call, const het__gpu_product *p,
                         const het__gpu_product_step *step, het_error *err)
{
    const size_t global[2] = { (size_t)p->columns, (size_t)step->rows };
    if (!step->bias.mem && !step->residual.mem && p->act == HET__ACT_NONE && step->scale == 1.0f)
        return HET_OK;
    het__gpu_product_bind(call, p, p->finish, step);
    return het__gpu_launch(call, p->finish, 2, global, NULL, err);
}

/* Offsets in floats. */
static size_t floats(het__gpu_span memory)
{
    return memory.offset / sizeof(float);
}

het_status het__cl_clblast_run(het__gpu_call *call, const het__gpu_product *p,
                               const het__gpu_product_step *step, bool *done, het_error *err)
{
    *done = false;
    const het__gpu_span w = het__gpu_product_weights(call, p);
    /* It writes the output before the residual is read. */
    const bool overlaps = step->residual.mem == step->out.mem;
    if (!p->finish || step->rows < 1 || overlaps || w.offset % sizeof(float) != 0)
        return HET_OK;
    const size_t rows = (size_t)step->rows, inner = (size_t)p->inner;
    const size_t columns = (size_t)p->columns;
    if (room(call, p, rows, floats(w), floats(step->out), floats(step->x)) > call->scratch_bytes)
        return HET_OK;
    cl_command_queue queue = het__cl_device(call->gpu)->queue;
    cl_event event = NULL;
    /* Its own commands wait for each other, but it takes no events to wait for. */
    const het_status s = het__cl_behind_all(het__cl_device(call->gpu), err);
    if (s != HET_OK)
        return s;
    const CLBlastStatusCode code = CLBlastSgemmWithTempBuffer(
        CLBlastLayoutRowMajor, CLBlastTransposeNo,
        p->is_turned ? CLBlastTransposeNo : CLBlastTransposeYes, rows, columns, inner, 1.0f,
        (cl_mem)step->x.mem, floats(step->x), inner, (cl_mem)het__gpu_memory_now(w.mem), floats(w),
        p->is_turned ? columns : inner, 0.0f, (cl_mem)step->out.mem, floats(step->out), columns,
        &queue, &event, (cl_mem)call->scratch);
    if (code != CLBlastSuccess)
        return het__fail_native(err, HET_E_INTERNAL, (int32_t)code, "CLBlast fails (%d)",
                                (int)code);
    call->gpu->counters.launch_count++;
    het__cl_run_event(het__cl_device(call->gpu), event);
    *done = true;
    return finish(call, p, step, err);
}

#else

het_status het__cl_clblast_init(het__gpu_call *call, het__gpu_product *p, int64_t rows_max,
                                het_error *err)
{
    (void)call;
    (void)p;
    (void)rows_max;
    (void)err;
    return HET_OK;
}

het_status het__cl_clblast_run(het__gpu_call *call, const het__gpu_product *p,
                               const het__gpu_product_step *step, bool *done, het_error *err)
{
    (void)call;
    (void)p;
    (void)step;
    (void)err;
    *done = false;
    return HET_OK;
}

#endif
