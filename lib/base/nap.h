/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeping for microseconds: systems wake a thread up to 50 us later than it asked, to save power,
 * unless it has said that it minds. */
#ifndef HET_BASE_NAP_H
#define HET_BASE_NAP_H

#include <stdint.h>

/* As het__sleep_ns(), as punctual as the system can. The thread's own setting is as before then. */
void het__nap_ns(uint64_t ns);

#endif /* HET_BASE_NAP_H */
