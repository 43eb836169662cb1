/* SPDX-License-Identifier: Apache-2.0 */
/* Where things stand in a package, for what reads and what writes it. Numbers are little-endian. */
#ifndef HET_IMPORT_PACKAGE_PARTS_H
#define HET_IMPORT_PACKAGE_PARTS_H

#include "lib/import/package.h"

#define HET__PACKAGE_MAGIC "HETPACK\n"
#define HET__PACKAGE_VERSION 1

/* The header. */
enum {
    HET__PACKAGE_AT_VERSION = 8,    /* u32 */
    HET__PACKAGE_AT_KIND = 12,      /* u32 */
    HET__PACKAGE_AT_BLOCK = 16,     /* u32 */
    HET__PACKAGE_AT_FILES = 20,     /* u32: how many */
    HET__PACKAGE_AT_SEGMENTS = 24,  /* u32 */
    HET__PACKAGE_AT_ZERO = 28,      /* u32 */
    HET__PACKAGE_AT_FRAMES = 32,    /* u64 */
    HET__PACKAGE_AT_NAMES = 40,     /* u64: bytes */
    HET__PACKAGE_AT_BYTES = 48,     /* u64: of the package */
    HET__PACKAGE_AT_ZEROS = 56,     /* u64 */
    HET__PACKAGE_AT_INDEX_HASH = 64, /* XXH3-128 of what lies between the header and the data */
    HET__PACKAGE_AT_RESERVED = 80,  /* u64 */
    HET__PACKAGE_AT_HASH = 88,      /* XXH3-64 of the header before it */
    HET__PACKAGE_HEADER_BYTES = 96,
};

/* Records. File: bytes u64, segments u32, bytes of the name u32. Segment: bytes u64, bytes of the
 * name u32, width u32. Frame: packed bytes per plane 4 x u32, XXH3-128 of the unpacked bytes. */
#define HET__PACKAGE_FILE_BYTES 16
#define HET__PACKAGE_SEGMENT_BYTES 16
#define HET__PACKAGE_FRAME_BYTES 32
#define HET__PACKAGE_FRAME_HASH 16 /* where it stands in the record */

#define HET__PACKAGE_BLOCK_USUAL ((uint32_t)1 << 20)
#define HET__PACKAGE_BLOCK_MIN ((uint32_t)1 << 12)
#define HET__PACKAGE_BLOCK_MAX ((uint32_t)1 << 24)
#define HET__PACKAGE_PATH_MAX 1023
#define HET__PACKAGE_NAME_MAX 65535

/* A path that stays below a folder wherever it is used: names of printable characters, none of them
 * "." or "..". Not NUL-terminated. */
bool het__package_path_is_safe(const char *path, size_t bytes);
bool het__package_name_is_text(const char *name, size_t bytes);

/* The segment that a frame belongs to. */
const het__package_segment *het__package_segment_of(const het__package *package, uint64_t frame);
/* A frame's bytes once unpacked, and where they begin, counted as in a segment's content. */
uint32_t het__package_frame_bytes(const het__package *package, const het__package_segment *segment,
                                  uint64_t frame);
uint64_t het__package_frame_content(const het__package *package,
                                    const het__package_segment *segment, uint64_t frame);

/* Bytes of elements of `width` into as many planes, one behind the other, and back. Width 2 and 4:
 * every element is turned left by one bit before, so that the sign goes to the end of the mantissa
 * and the first plane (the last one in memory) is the exponent. bytes: a multiple of width. */
void het__planes_split(uint32_t width, const uint8_t *source, size_t bytes, uint8_t *planes);
void het__planes_join(uint32_t width, const uint8_t *const *planes, uint8_t *target, size_t bytes);

#endif /* HET_IMPORT_PACKAGE_PARTS_H */
