/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file package.h
 * Packages (.het): all files of a model in one, compressed without loss.
 *
 * A package holds a GGUF file or a folder (config.json, tokenizer, safetensors and whatever else
 * lies there) and gives back the same bytes. Every tensor is compressed by itself, large ones in
 * pieces with a checksum each, so that they are unpacked in parallel and one by one.
 * het_model_load() takes packages as it takes what they hold. docs/package.md has the format. A
 * build without zstd refuses packages with HET_E_UNSUPPORTED.
 */
#ifndef HETINFER_PACKAGE_H
#define HETINFER_PACKAGE_H

#include <hetinfer/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a package holds. */
typedef enum het_package_kind {
    HET_PACKAGE_GGUF = 1,   /**< One GGUF file. */
    HET_PACKAGE_FOLDER = 2, /**< The files of a folder. */
    HET_PACKAGE_KIND_FORCE_32 = 0x7fffffff
} het_package_kind;

/** Options of the functions below. */
typedef struct het_package_options {
    uint32_t struct_size;     /**< sizeof(het_package_options). */
    uint32_t level;           /**< Of zstd, 1 to 19; 0 = 3. Floating weights and reading do not
                                   depend on it. */
    het_progress_fn progress; /**< May be NULL. Not 0 cancels. */
    void *progress_user;      /**< First argument of progress. */
    uint32_t threads;         /**< Threads that work, up to 1024, the caller's one of them; they
                                   end with the call. 0 = 1. */
    uint32_t reserved;        /**< Zero. */
} het_package_options;

/** Initial value of a het_package_options. */
#define HET_PACKAGE_OPTIONS_INIT { sizeof(het_package_options), 0, NULL, NULL, 0, 0 }

/** Figures of a package. */
typedef struct het_package_info {
    uint32_t struct_size;   /**< Set by the caller. */
    uint32_t kind;          /**< het_package_kind. */
    uint32_t file_count;    /**< Files. */
    uint32_t tensor_count;  /**< Tensors that can be unpacked by themselves. */
    uint64_t frame_count;   /**< Pieces with a checksum of their own. */
    uint64_t content_bytes; /**< Of all files. */
    uint64_t package_bytes; /**< Of the package. */
} het_package_info;

/**
 * Pack a model.
 *
 * Of a folder all regular files are taken, those of folders below it as well, except folders whose
 * names begin with '.'; links to files become files, links to folders are left out. Names, order
 * and bytes are kept, not times and permissions. Floating tensors (F16, BF16, F32) become smaller
 * the most: of BF16 weights some two thirds remain.
 *
 * @param context  Its allocator and log are used.
 * @param source   A GGUF file, or a folder. Must not change meanwhile.
 * @param target   Where the package goes. One that is there is replaced, at once and only after all
 *                 has been written.
 * @param options  May be NULL: defaults.
 * @param info     May be NULL. Filled up to info->struct_size bytes.
 * @param err      May be NULL.
 *
 * @retval HET_E_INVALID      level or threads is out of range.
 * @retval HET_E_UNSUPPORTED  The source is neither; it has a name that packages do not hold (of
 *                            more than 1023 bytes, or with control characters); or zstd is missing.
 * @retval HET_E_FORMAT       The GGUF file or one of the safetensors files is malformed.
 * @retval HET_E_IO           A file cannot be read or written, or there is no room for the size of
 *                            the source, which is needed meanwhile; nothing is left behind.
 * @retval HET_E_BUSY         Somebody else is writing this package.
 * @retval HET_E_CANCELLED    The progress callback asked for it; nothing is left behind.
 * @retval HET_E_NOMEM        Out of memory.
 *
 * Cost: a thread packs some 200 to 300 MB a second at level 3, and takes about 11 MiB. The bytes
 * do not depend on the number of threads, but on the version of zstd.
 * Thread-safety: any thread.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_package_write(het_context *context, const char *source,
                                                   const char *target,
                                                   const het_package_options *options,
                                                   het_package_info *info, het_error *err);

/**
 * Get the files of a package back.
 *
 * @param context  Its allocator is used.
 * @param source   A package.
 * @param target   Of a GGUF package: where the file goes; one that is there is replaced. Of a
 *                 folder: the folder to make; nothing or an empty folder may be there. Either
 *                 appears at once, when all of it has been written.
 * @param options  May be NULL: defaults.
 * @param info     May be NULL. Filled up to info->struct_size bytes.
 * @param err      May be NULL.
 *
 * @retval HET_E_INVALID      threads is out of range.
 * @retval HET_E_FORMAT       Not a package, or a part of it is corrupt: the message names the
 *                            tensor and the byte. Nothing is left behind.
 * @retval HET_E_VERSION      Of a newer release.
 * @retval HET_E_UNSUPPORTED  zstd is missing.
 * @retval HET_E_IO           A file cannot be read or written, there is no room, or a folder is
 *                            there already.
 * @retval HET_E_BUSY         Somebody else is writing the target.
 * @retval HET_E_CANCELLED    The progress callback asked for it.
 * @retval HET_E_NOMEM        Out of memory.
 *
 * Cost: a thread unpacks about 1 to 2 GB a second, and takes about 9 MiB.
 * Thread-safety: any thread.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_package_extract(het_context *context, const char *source,
                                                     const char *target,
                                                     const het_package_options *options,
                                                     het_package_info *info, het_error *err);

/**
 * Unpack everything, compare all checksums, and keep nothing.
 *
 * @param context  Its allocator is used.
 * @param source   A package.
 * @param options  May be NULL: defaults.
 * @param info     May be NULL. Filled up to info->struct_size bytes.
 * @param err      May be NULL.
 *
 * Failures and cost as het_package_extract(), but for what is written.
 * Thread-safety: any thread.
 * @since 0.1
 */
HET_API HET_NODISCARD het_status het_package_check(het_context *context, const char *source,
                                                   const het_package_options *options,
                                                   het_package_info *info, het_error *err);

#ifdef __cplusplus
}
#endif

#endif /* HETINFER_PACKAGE_H */
