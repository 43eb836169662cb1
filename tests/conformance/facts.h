/* SPDX-License-Identifier: Apache-2.0 */
/* What a model file of the suite is about, found without the library that is tested. */
#ifndef HETINFER_TEST_FACTS_H
#define HETINFER_TEST_FACTS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct facts {
    char operation[128]; /* "Conv" or "domain:Name": of the only node, or of the last */
    size_t node_count;
    const char *outside; /* why the case is not in scope; NULL: it is. Static. */
    bool random;         /* outputs are random by definition */
} facts;

/* false: this is no protobuf. */
bool facts_read(const void *model, size_t bytes, facts *f);

#endif /* HETINFER_TEST_FACTS_H */
