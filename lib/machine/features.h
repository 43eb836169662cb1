/* SPDX-License-Identifier: Apache-2.0 */
/* What a backend's own words about instruction sets mean. */
#ifndef HET_MACHINE_FEATURES_H
#define HET_MACHINE_FEATURES_H

#include <stdbool.h>

/* Whether a device's features name an instruction set ("avx512", "bf16"): backends write "AVX-512"
 * as well. set: small letters without dashes. */
bool het__features_have(const char *features, const char *set);

#endif /* HET_MACHINE_FEATURES_H */
