/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/backend.h"

extern const het__backend het__backend_cpu_onednn;

const het__backend het__backend_cpu_onednn = { .name = "cpu_onednn" };
