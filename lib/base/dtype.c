/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/dtype.h"

#include <stddef.h>

/* Sizes of the block formats: the GGUF specification's tables. */
static const het__dtype_info dtypes[] = {
    [HET_DTYPE_F32] = { "F32", 1, 4 },        [HET_DTYPE_F16] = { "F16", 1, 2 },
    [HET_DTYPE_BF16] = { "BF16", 1, 2 },      [HET_DTYPE_F64] = { "F64", 1, 8 },
    [HET_DTYPE_I8] = { "I8", 1, 1 },          [HET_DTYPE_I16] = { "I16", 1, 2 },
    [HET_DTYPE_I32] = { "I32", 1, 4 },        [HET_DTYPE_I64] = { "I64", 1, 8 },
    [HET_DTYPE_U8] = { "U8", 1, 1 },          [HET_DTYPE_U16] = { "U16", 1, 2 },
    [HET_DTYPE_U32] = { "U32", 1, 4 },        [HET_DTYPE_U64] = { "U64", 1, 8 },
    [HET_DTYPE_BOOL] = { "BOOL", 1, 1 },      [HET_DTYPE_F8E4M3] = { "F8E4M3", 1, 1 },
    [HET_DTYPE_F8E4M3UZ] = { "F8E4M3UZ", 1, 1 }, [HET_DTYPE_F8E5M2] = { "F8E5M2", 1, 1 },
    [HET_DTYPE_F8E5M2UZ] = { "F8E5M2UZ", 1, 1 }, [HET_DTYPE_F8E8M0] = { "F8E8M0", 1, 1 },
    [HET_DTYPE_F4E2M1] = { "F4E2M1", 1, 1 },  [HET_DTYPE_I4] = { "I4", 1, 1 },
    [HET_DTYPE_U4] = { "U4", 1, 1 },          [HET_DTYPE_I2] = { "I2", 1, 1 },
    [HET_DTYPE_U2] = { "U2", 1, 1 },          [HET_DTYPE_Q4_0] = { "Q4_0", 32, 18 },
    [HET_DTYPE_Q4_1] = { "Q4_1", 32, 20 },    [HET_DTYPE_Q5_0] = { "Q5_0", 32, 22 },
    [HET_DTYPE_Q5_1] = { "Q5_1", 32, 24 },    [HET_DTYPE_Q8_0] = { "Q8_0", 32, 34 },
    [HET_DTYPE_Q8_1] = { "Q8_1", 32, 36 },    [HET_DTYPE_Q2_K] = { "Q2_K", 256, 84 },
    [HET_DTYPE_Q3_K] = { "Q3_K", 256, 110 },  [HET_DTYPE_Q4_K] = { "Q4_K", 256, 144 },
    [HET_DTYPE_Q5_K] = { "Q5_K", 256, 176 },  [HET_DTYPE_Q6_K] = { "Q6_K", 256, 210 },
    [HET_DTYPE_Q8_K] = { "Q8_K", 256, 292 },  [HET_DTYPE_IQ4_NL] = { "IQ4_NL", 32, 18 },
    [HET_DTYPE_IQ4_XS] = { "IQ4_XS", 256, 136 }, [HET_DTYPE_MXFP4] = { "MXFP4", 32, 17 },
};

const het__dtype_info *het__dtype(het_dtype dtype)
{
    const uint32_t i = (uint32_t)dtype;
    if (i >= sizeof dtypes / sizeof dtypes[0] || !dtypes[i].name)
        return NULL;
    return &dtypes[i];
}
