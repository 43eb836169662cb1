/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file version.h
 * Release number and ABI counter.
 *
 * The two are independent: the release number says what the library can do, the
 * ABI counter (the SONAME) grows only when an existing program would break.
 */
#ifndef HETINFER_VERSION_H
#define HETINFER_VERSION_H

#include <hetinfer/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Release of the headers. */
#define HETINFER_VERSION_MAJOR 0
#define HETINFER_VERSION_MINOR 1
#define HETINFER_VERSION_PATCH 0

/** Counter in the SONAME, libhetinfer.so.<counter>. */
#define HET_ABI_VERSION 0

/** One number per release, comparable with `<`. */
#define HETINFER_VERSION \
    (HETINFER_VERSION_MAJOR * 1000000 + HETINFER_VERSION_MINOR * 1000 + HETINFER_VERSION_PATCH)

/**
 * Release of the library that is loaded, in the form of HETINFER_VERSION.
 *
 * Compare with the macro to find a program that runs with another release than
 * it was compiled with.
 *
 * Thread-safety: any thread, any time.
 * @since 0.1
 */
HET_API uint32_t het_version(void);

/**
 * Release as text, for example "0.1.0". Static storage.
 *
 * Thread-safety: any thread, any time.
 * @since 0.1
 */
HET_API const char *het_version_string(void);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_VERSION_H */
