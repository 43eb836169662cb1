/* SPDX-License-Identifier: Apache-2.0 */
/* XRT as C sees it: a table of functions that a file of its own fills (xrt.cpp), which is loaded
 * after XRT's library and so binds to whatever release the machine has, or not at all.
 *
 * Functions return HET_OK or what an exception meant: NOMEM, BUSY, TIMEOUT, DEVICE_LOST, IO for
 * everything else; then the message says what XRT said. Objects are closed by the function of
 * their name, which cannot fail; what an object was made from may go before it. No two functions
 * are called at once for one device. */
#ifndef HET_NPU_XRT_H
#define HET_NPU_XRT_H

#include <stddef.h>
#include <stdint.h>

#define HET__XRT_SYMBOL "het__xrt_module"
#define HET__XRT_COMPLETED 4
#define HET__XRT_ERROR 5
#define HET__XRT_ABORT 6
#define HET__XRT_TIMEOUT 8
#define HET__XRT_NORESPONSE 9

/* How a buffer is used; decides its flags. */
enum { HET__XRT_INSTRUCTIONS = 0, HET__XRT_DATA = 1 };
enum { HET__XRT_TO_DEVICE = 0, HET__XRT_FROM_DEVICE = 1 };

typedef struct het__xrt_message {
    char text[160];
} het__xrt_message;

typedef struct het__xrt_calls {
    uint32_t struct_size;
    int (*count)(uint32_t *devices, het__xrt_message *m);
    int (*device_open)(uint32_t index, void **device, het__xrt_message *m);
    void (*device_close)(void *device);
    /* arguments: of the kernel; HET_E_UNSUPPORTED if the file has no kernel of that name. */
    int (*xclbin_open)(const char *path, const char *kernel, void **xclbin, uint32_t *arguments,
                       het__xrt_message *m);
    void (*xclbin_close)(void *xclbin);
    /* A hardware context of the file's columns, and its kernel. */
    int (*context_open)(void *device, void *xclbin, const char *kernel, void **context,
                        het__xrt_message *m);
    void (*context_close)(void *context);
    int (*group)(void *context, uint32_t argument, uint32_t *group, het__xrt_message *m);
    /* host: the buffer's bytes as the host sees them, for as long as it is open. */
    int (*buffer_open)(void *device, size_t bytes, int use, uint32_t group, void **buffer,
                       void **host, het__xrt_message *m);
    int (*buffer_sync)(void *buffer, int direction, size_t bytes, het__xrt_message *m);
    void (*buffer_close)(void *buffer);
    int (*run_open)(void *context, void **run, het__xrt_message *m);
    int (*run_set)(void *run, uint32_t argument, const void *value, size_t bytes,
                   het__xrt_message *m);
    int (*run_set_buffer)(void *run, uint32_t argument, void *buffer, het__xrt_message *m);
    int (*run_start)(void *run, het__xrt_message *m);
    /* state: as ERT names them; HET__XRT_TIMEOUT if the limit has passed, too. */
    int (*run_wait)(void *run, uint32_t limit_ms, uint32_t *state, het__xrt_message *m);
    void (*run_close)(void *run);
    /* Runs of one context that are handed over at once and done in their order. Only where the
     * library has them: het__npu_has_lists(). A run is of one list for good; a list that is under
     * way is not closed. */
    int (*list_open)(void *context, void **list, het__xrt_message *m);
    int (*list_add)(void *list, void *run, het__xrt_message *m);
    int (*list_start)(void *list, het__xrt_message *m);
    /* state: HET__XRT_COMPLETED, or what became of the first run that failed; HET__XRT_TIMEOUT if
     * the limit has passed. */
    int (*list_wait)(void *list, uint32_t limit_ms, uint32_t *state, het__xrt_message *m);
    void (*list_close)(void *list);
} het__xrt_calls;

#endif /* HET_NPU_XRT_H */
