/* SPDX-License-Identifier: Apache-2.0 */
/* A backend that is a file of its own, for test_modules.c: SAMPLE_NAME under which it is known,
 * SAMPLE_BUILD that it says it was made for. */
#include "lib/backend.h"
#include "lib/het_module_build.h"

static void sample_probe(const het__host *host, het__probed *probed)
{
    (void)host;
    (void)probed;
}

static const het__backend sample = { .name = SAMPLE_NAME, .probe = sample_probe };

extern const het__module het__backend_module;

__attribute__((visibility("default"))) const het__module het__backend_module = {
    .struct_size = sizeof(het__module), .build = SAMPLE_BUILD, .backend = &sample,
};
