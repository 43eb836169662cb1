/* SPDX-License-Identifier: Apache-2.0 */
/* The array of a stand-in NPU: it executes a stream of instructions as its controller, its data
 * movers and its cores would. Written from the public description of the format, apart from what
 * the backend writes and checks streams with.
 *
 *     controller   takes operations in order: descriptors, patched addresses, queues, waits
 *     movers       walk memory by descriptors: three extents and an iteration, in words of 4 bytes,
 *                  as often as the queue says; MM2S 0 brings A, MM2S 1 brings B, S2MM 0 takes C
 *     cores        `inner / tile` times a tile of A and one of B, then a tile of C. A tile goes row
 *                  by row: the blocking that memory tiles do on the way is undone on the way back.
 *                  Codes of 8 bits are summed up in 32-bit integers, BF16 in F32, term by term
 *
 * One core: the mover of column 0 feeds it. Whole array, four by four: A of column i goes to row i
 * of cores, B of column j to column j; C of column j is four tiles, one below the other.
 *
 * What cannot go on does not end: an input that never comes is a run that hangs. Cycles are a
 * model: for each round of tiles the larger of computing (256 multiplications of 8 bits, or 128
 * of BF16, a cycle and core) and moving (4 bytes a cycle and mover), and 32 for each operation of
 * the controller. */
#ifndef XRT_STANDIN_ARRAY_HPP
#define XRT_STANDIN_ARRAY_HPP

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace standin {

/* A rule of the host or of the array is broken: a mistake of whoever made the stream. */
struct broken : std::runtime_error {
    using std::runtime_error::runtime_error;
};
/* The array waits for what never comes. */
struct stuck : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct design {
    std::string kernel = "MLIR_AIE";
    std::string uuid;
    unsigned arguments = 8; /* as mlir-aie writes them: five buffers, of which three are used */
    unsigned columns = 1;
    unsigned core_rows = 1;
    unsigned tile_rows = 32, tile_inner = 32, tile_columns = 32;
    unsigned inner = 256;
    bool is_bf16 = false;   /* or 8-bit integers */
    bool is_wrong = false;  /* its cores drop a product now and then */
    bool is_silent = false; /* its cores give nothing */
    int group = 0;          /* memory group of arguments */
};

/* Memory as the array sees it. */
struct memory {
    unsigned char *data = nullptr;
    std::size_t bytes = 0;
};

/* Runs a stream; returns cycles. */
std::uint64_t execute(const design &d, const std::uint32_t *words, std::size_t count,
                      const memory arguments[3]);

} /* namespace standin */

#endif /* XRT_STANDIN_ARRAY_HPP */
