/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of a device. */
#include "backends/opencl_igpu/opencl.h"

#include "lib/base/error.h"

het_status het__cl_measure(het__device *device, het_device_figures *figures, het_error *err)
{
    (void)device;
    (void)figures;
    return het__fail(err, HET_E_UNSUPPORTED, "no figures");
}
