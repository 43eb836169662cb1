/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file hetinfer.h
 * libhetinfer: neural networks on whatever the user's computer has.
 *
 * The contract that no function repeats:
 *
 * 1. Argument order. Subject handle; inputs (a buffer's size follows its
 *    pointer); options; outputs; `het_error *err` last.
 * 2. Pointers are non-NULL unless the text says "may be NULL". Strings are
 *    UTF-8, NUL-terminated unless a size is passed, and copied.
 * 3. Threads. A const handle may be used by any number of threads at once; a
 *    non-const handle needs exclusive use during the call. Exceptions are
 *    stated on the function.
 * 4. Ownership. `create`, `load` and `make` give something that you `destroy`;
 *    everything else that is returned by pointer is borrowed from its subject
 *    and dies with it. Arguments are lent for the call only, unless the text
 *    says "kept until".
 * 5. Children keep their parents alive: destroy handles in any order. Destroying
 *    NULL does nothing.
 * 6. Failure. Out handles are NULL, all other outputs are untouched, and there
 *    is nothing to clean up. `err` may be NULL; it is filled on failure only.
 * 7. Units stand in names: `_bytes`, `_ns`, `_count`; limits end in `_max`.
 *    Extents are int64_t, host sizes size_t.
 * 8. Structs that you fill start with `struct_size`, set by their `_INIT` macro
 *    or by sizeof; zero in any other field means its default, for ever. Enums
 *    may gain values: keep a default branch.
 * 9. Process effects: none. The library installs no signal handler, leaves the
 *    locale alone, prints nothing, never exits, aborts or forks, and opens no
 *    network connection. Threads are started only by a session, as many as its
 *    options say, and joined when it is destroyed, and by het_quantize(), the
 *    functions of package.h and het_model_load() of a package while they last,
 *    as many as their options say. The environment is read once,
 *    in het_context_create(), unless HET_CONTEXT_NO_ENV is given. Files are
 *    written only into a folder that het_session_options.weight_cache or the
 *    variable HETINFER_KERNEL_CACHE names, and where het_machine_write(),
 *    het_calibrate(), het_quantize(), het_package_write() and
 *    het_package_extract() are told to. Drivers of vendors start threads and keep
 *    files as they please, from when their devices are looked for.
 */
#ifndef HETINFER_H
#define HETINFER_H

#include <hetinfer/analysis.h>
#include <hetinfer/base.h>
#include <hetinfer/calibration.h>
#include <hetinfer/context.h>
#include <hetinfer/device.h>
#include <hetinfer/experts.h>
#include <hetinfer/generate.h>
#include <hetinfer/groups.h>
#include <hetinfer/hardware.h>
#include <hetinfer/machine.h>
#include <hetinfer/model.h>
#include <hetinfer/op.h>
#include <hetinfer/package.h>
#include <hetinfer/plan.h>
#include <hetinfer/policy.h>
#include <hetinfer/quantize.h>
#include <hetinfer/sampler.h>
#include <hetinfer/sequence.h>
#include <hetinfer/session.h>
#include <hetinfer/simulation.h>
#include <hetinfer/telemetry.h>
#include <hetinfer/template.h>
#include <hetinfer/tensor.h>
#include <hetinfer/tokenizer.h>
#include <hetinfer/trace.h>
#include <hetinfer/version.h>

#endif /* HETINFER_H */
