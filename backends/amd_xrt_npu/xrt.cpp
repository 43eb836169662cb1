// SPDX-License-Identifier: Apache-2.0
// The calls of XRT behind a table of C functions: nothing throws beyond this file, and nothing else
// of the project is C++. It is a library of its own, loaded once XRT's is there: its undefined
// symbols are what this project needs of XRT, and a release that lacks one is told by its name.
#include "backends/amd_xrt_npu/xrt_declarations.hpp"

#include <cerrno>
#include <cstdio>
#include <new>
#include <system_error>

#include <hetinfer/base.h>

#include "backends/amd_xrt_npu/xrt.h"

namespace {

int meaning_of(int code)
{
    switch (code < 0 ? -code : code) {
    case ENOMEM: return HET_E_NOMEM;
    case EBUSY: case EAGAIN: case EINTR: case ENOSPC: return HET_E_BUSY;
    case ETIME: case ETIMEDOUT: return HET_E_TIMEOUT;
    case ENODEV: case ENXIO: case ESHUTDOWN: return HET_E_DEVICE_LOST;
    default: return HET_E_IO;
    }
}

// Runs what may throw.
template <typename Call> int guarded(het__xrt_message *m, Call call) noexcept
{
    try {
        return call();
    } catch (const std::bad_alloc &) {
        std::snprintf(m->text, sizeof m->text, "out of memory");
        return HET_E_NOMEM;
    } catch (const std::system_error &e) {
        std::snprintf(m->text, sizeof m->text, "%s", e.what());
        return meaning_of(e.code().value());
    } catch (const std::exception &e) {
        std::snprintf(m->text, sizeof m->text, "%s", e.what());
        return HET_E_IO;
    } catch (...) {
        std::snprintf(m->text, sizeof m->text, "an exception of no known type");
        return HET_E_IO;
    }
}

// Letting go of an object runs code of XRT, which should not throw and might.
template <typename Object> void drop(void *object) noexcept
{
    try {
        delete static_cast<Object *>(object);
    } catch (...) {
    }
}

struct context {
    xrt::hw_context hardware;
    xrt::kernel kernel;
};

int count(uint32_t *devices, het__xrt_message *m)
{
    return guarded(m, [=] {
        *devices = xrt::system::enumerate_devices();
        return HET_OK;
    });
}

int device_open(uint32_t index, void **device, het__xrt_message *m)
{
    return guarded(m, [=] {
        *device = new xrt::device(index);
        return HET_OK;
    });
}

int xclbin_open(const char *path, const char *kernel, void **xclbin, uint32_t *arguments,
                het__xrt_message *m)
{
    return guarded(m, [=] {
        auto binary = std::make_unique<xrt::xclbin>(path);
        const xrt::xclbin::kernel found = binary->get_kernel(kernel);
        if (!found.handle) {
            std::snprintf(m->text, sizeof m->text, "it has no kernel %.60s", kernel);
            return (int)HET_E_UNSUPPORTED;
        }
        *arguments = (uint32_t)found.get_num_args();
        *xclbin = binary.release();
        return (int)HET_OK;
    });
}

int context_open(void *device, void *xclbin, const char *kernel, void **made, het__xrt_message *m)
{
    return guarded(m, [=] {
        auto *on = static_cast<xrt::device *>(device);
        const xrt::uuid id = on->register_xclbin(*static_cast<xrt::xclbin *>(xclbin));
        xrt::hw_context hardware(*on, id, xrt::hw_context::access_mode::shared);
        xrt::kernel code(hardware, kernel);
        *made = new context{ hardware, code };
        return HET_OK;
    });
}

int group(void *of, uint32_t argument, uint32_t *number, het__xrt_message *m)
{
    return guarded(m, [=] {
        *number = (uint32_t)static_cast<context *>(of)->kernel.group_id((int)argument);
        return HET_OK;
    });
}

int buffer_open(void *device, size_t bytes, int use, uint32_t in, void **buffer, void **host,
                het__xrt_message *m)
{
    return guarded(m, [=] {
        const auto kind = use == HET__XRT_INSTRUCTIONS ? xrt::bo::flags::cacheable
                                                       : xrt::bo::flags::host_only;
        auto made = std::make_unique<xrt::bo>(*static_cast<xrt::device *>(device), bytes, kind, in);
        *host = made->map();
        *buffer = made.release();
        return HET_OK;
    });
}

int buffer_sync(void *buffer, int direction, size_t bytes, het__xrt_message *m)
{
    return guarded(m, [=] {
        static_cast<xrt::bo *>(buffer)->sync(direction == HET__XRT_TO_DEVICE
                                                 ? XCL_BO_SYNC_BO_TO_DEVICE
                                                 : XCL_BO_SYNC_BO_FROM_DEVICE,
                                             bytes, 0);
        return HET_OK;
    });
}

int run_open(void *of, void **run, het__xrt_message *m)
{
    return guarded(m, [=] {
        *run = new xrt::run(static_cast<context *>(of)->kernel);
        return HET_OK;
    });
}

int run_set(void *run, uint32_t argument, const void *value, size_t bytes, het__xrt_message *m)
{
    return guarded(m, [=] {
        static_cast<xrt::run *>(run)->set_arg_at_index((int)argument, value, bytes);
        return HET_OK;
    });
}

int run_set_buffer(void *run, uint32_t argument, void *buffer, het__xrt_message *m)
{
    return guarded(m, [=] {
        static_cast<xrt::run *>(run)->set_arg_at_index((int)argument,
                                                       *static_cast<xrt::bo *>(buffer));
        return HET_OK;
    });
}

int run_start(void *run, het__xrt_message *m)
{
    return guarded(m, [=] {
        static_cast<xrt::run *>(run)->start();
        return HET_OK;
    });
}

int run_wait(void *run, uint32_t limit_ms, uint32_t *state, het__xrt_message *m)
{
    return guarded(m, [=] {
        *state = static_cast<xrt::run *>(run)->wait(std::chrono::milliseconds(limit_ms));
        return HET_OK;
    });
}

int list_open(void *of, void **list, het__xrt_message *m)
{
    return guarded(m, [=] {
        *list = new xrt::runlist(static_cast<context *>(of)->hardware);
        return HET_OK;
    });
}

int list_add(void *list, void *run, het__xrt_message *m)
{
    return guarded(m, [=] {
        static_cast<xrt::runlist *>(list)->add(*static_cast<xrt::run *>(run));
        return HET_OK;
    });
}

int list_start(void *list, het__xrt_message *m)
{
    return guarded(m, [=] {
        static_cast<xrt::runlist *>(list)->execute();
        return HET_OK;
    });
}

// A list tells of a run that failed by an exception, whose state could be had through one more
// symbol; its text names it since the releases that know NPUs.
uint32_t state_named(const char *text)
{
    const struct {
        const char *name;
        uint32_t state;
    } states[] = {
        { "ERT_CMD_STATE_TIMEOUT", HET__XRT_TIMEOUT },
        { "ERT_CMD_STATE_NORESPONSE", HET__XRT_NORESPONSE },
        { "ERT_CMD_STATE_ABORT", HET__XRT_ABORT },
    };
    for (const auto &s : states)
        if (std::strstr(text, s.name))
            return s.state;
    return HET__XRT_ERROR;
}

int list_wait(void *list, uint32_t limit_ms, uint32_t *state, het__xrt_message *m)
{
    return guarded(m, [=] {
        try {
            const std::chrono::milliseconds limit(limit_ms);
            const auto ended = static_cast<xrt::runlist *>(list)->wait(limit);
            *state = ended == std::cv_status::timeout ? HET__XRT_TIMEOUT : HET__XRT_COMPLETED;
        } catch (const std::system_error &) {
            throw;
        } catch (const std::bad_alloc &) {
            throw;
        } catch (const std::exception &e) {
            *state = state_named(e.what());
        }
        return HET_OK;
    });
}

} // namespace

extern "C" {
extern __attribute__((visibility("default"))) const het__xrt_calls het__xrt_module;
const het__xrt_calls het__xrt_module = {
    sizeof(het__xrt_calls),
    count,
    device_open,
    drop<xrt::device>,
    xclbin_open,
    drop<xrt::xclbin>,
    context_open,
    drop<context>,
    group,
    buffer_open,
    buffer_sync,
    drop<xrt::bo>,
    run_open,
    run_set,
    run_set_buffer,
    run_start,
    run_wait,
    drop<xrt::run>,
    list_open,
    list_add,
    list_start,
    list_wait,
    drop<xrt::runlist>,
};
}
