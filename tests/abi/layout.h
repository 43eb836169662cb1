/* SPDX-License-Identifier: Apache-2.0 */
/* How layouts are pinned: see abi_layout.c, which says what may change there. */
#ifndef HETINFER_TEST_LAYOUT_H
#define HETINFER_TEST_LAYOUT_H

#include <hetinfer.h>

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type)
#define FIELD(type, field, offset, bytes)                                             \
    _Static_assert(offsetof(type, field) == (offset), "offset of " #type "." #field); \
    _Static_assert(sizeof(((type *)0)->field) == (bytes), "size of " #type "." #field)
#define VALUE(name, value) _Static_assert((name) == (value), "value of " #name)

#endif /* HETINFER_TEST_LAYOUT_H */
