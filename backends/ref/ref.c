/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/backend.h"

extern const het__backend het__backend_ref;

const het__backend het__backend_ref = { .name = "ref" };
