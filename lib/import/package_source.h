/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into a package: the source's files, mapped, and where their tensors lie. */
#ifndef HET_IMPORT_PACKAGE_SOURCE_H
#define HET_IMPORT_PACKAGE_SOURCE_H

#include "lib/base/os.h"
#include "lib/import/package.h"

typedef struct het__package_source {
    het__arena arena;
    het__package package;     /* as it will be; data, frames and starts are NULL */
    het__mapping *mappings;   /* per file; of an empty one without data */
    const uint8_t **contents; /* per segment: its bytes */
    size_t names_bytes;       /* of files and tensors together */
} het__package_source;

/* The source is to be closed either way. HET_E_UNSUPPORTED: neither a GGUF file nor a folder. */
het_status het__package_source_open(het__package_source *source, het__mem *mem, const char *path,
                                    uint32_t block_bytes, het_error *err);
void het__package_source_close(het__package_source *source);

#endif /* HET_IMPORT_PACKAGE_SOURCE_H */
