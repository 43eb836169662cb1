/* SPDX-License-Identifier: Apache-2.0 */
/* Instruction streams of the array: what its controller does to run a product.
 *
 *     header   generation and form, columns, count of operations, bytes
 *     BLOCK    a buffer descriptor into a shim tile: length, strides, iteration
 *     PATCH    the address of a kernel's argument into a descriptor
 *     WRITE    a descriptor into a queue of the tile's data movers, with a count of repetitions
 *     MASK     bits of a register: where a mover's token goes
 *     SYNC     wait for the tokens of movers
 *
 * There are two forms, which differ in how long an operation is: "0.1", which mlir-aie writes, and
 * "1.0", which it wrote for a while. Both are public: lib/Targets/AIETargetNPU.cpp of mlir-aie. */
#ifndef HET_NPU_TXN_H
#define HET_NPU_TXN_H

#include <hetinfer/base.h>

#include "lib/base/mem.h"

typedef enum het__txn_form {
    HET__TXN_0_1 = 0,
    HET__TXN_1_0 = 1,
} het__txn_form;

#define HET__TXN_WRITE 0x00u
#define HET__TXN_BLOCK 0x01u
#define HET__TXN_MASK 0x03u
#define HET__TXN_SYNC 0x80u
#define HET__TXN_PATCH 0x81u

/* Registers of a shim tile; those of column c lie c << HET__NPU_COLUMN_SHIFT above. */
#define HET__NPU_COLUMN_SHIFT 25
#define HET__NPU_BD 0x1d000u      /* descriptors of 32 bytes each; the address is their word 1 */
#define HET__NPU_BD_COUNT 16
#define HET__NPU_S2MM_CONTROL 0x1d200u /* of channel 0; channel 1 lies 8 above */
#define HET__NPU_S2MM_QUEUE 0x1d204u
#define HET__NPU_MM2S_QUEUE 0x1d214u

#define HET__TXN_ARGUMENTS 3
#define HET__TXN_BYTES_MAX (16u << 20)

typedef struct het__txn {
    het__mem *mem;
    uint32_t *words;
    size_t count, capacity;
    het__txn_form form;
    uint32_t operations;
    bool failed; /* out of memory */
} het__txn;

/* generation: as the header names it, 3 for npu1, 4 for those after it. */
void het__txn_begin(het__txn *t, het__mem *mem, het__txn_form form, uint32_t generation,
                    uint32_t columns);
void het__txn_write(het__txn *t, uint32_t address, uint32_t value);
void het__txn_block(het__txn *t, uint32_t address, const uint32_t *words, uint32_t count);
void het__txn_mask(het__txn *t, uint32_t address, uint32_t value, uint32_t mask);
void het__txn_patch(het__txn *t, uint32_t address, uint32_t argument, uint32_t plus);
/* Wait for a token of S2MM channel 0 of a column. */
void het__txn_sync(het__txn *t, uint32_t column);
/* Fill the header; false: out of memory. The words are the caller's (het__free()). */
bool het__txn_end(het__txn *t);

/* A file of a stream, as words: little-endian binary, or a text of one hexadecimal word per line.
 * HET_E_FORMAT. */
het_status het__txn_read(het__mem *mem, const void *bytes, size_t size, uint32_t **words,
                         size_t *count, het_error *err);

/* Whether a stream is what the array may be given: whole operations of known kinds, descriptors
 * that stay within arguments of argument_bytes, every queued descriptor written and patched before.
 * HET_E_FORMAT with the operation and what is wrong with it. O(count). */
het_status het__txn_check(const uint32_t *words, size_t count, uint32_t columns,
                          const uint64_t argument_bytes[HET__TXN_ARGUMENTS], het_error *err);

#endif /* HET_NPU_TXN_H */
