/* SPDX-License-Identifier: Apache-2.0 */
/* What this project uses of XRT 2.17 and newer, declared by itself: no header of XRT is needed to
 * build.
 *
 * Every object is one shared pointer and nothing else; destructors stay implicit, because older
 * releases export none and newer ones do no more than that. Names, arguments and results are those
 * of XRT, or the symbols would not meet; 21 of them are used. The four of run lists are weak: a
 * library without them is used without them. The test's stand-in defines what is declared here. */
#ifndef HET_XRT_DECLARATIONS_HPP
#define HET_XRT_DECLARATIONS_HPP

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

enum xclBOSyncDirection : unsigned {
    XCL_BO_SYNC_BO_TO_DEVICE = 0,
    XCL_BO_SYNC_BO_FROM_DEVICE = 1,
};

enum ert_cmd_state : unsigned {
    ERT_CMD_STATE_NEW = 1,
    ERT_CMD_STATE_COMPLETED = 4,
    ERT_CMD_STATE_ERROR = 5,
    ERT_CMD_STATE_ABORT = 6,
    ERT_CMD_STATE_TIMEOUT = 8,
    ERT_CMD_STATE_NORESPONSE = 9,
};

namespace xrt {

/* Copied by a function of its own, which decides how it is returned. */
class uuid {
public:
    uuid() { std::memset(bytes, 0, sizeof bytes); }
    uuid(const uuid &other) { std::memcpy(bytes, other.bytes, sizeof bytes); }
    uuid &operator=(const uuid &other)
    {
        std::memcpy(bytes, other.bytes, sizeof bytes);
        return *this;
    }
    unsigned char bytes[16];
};

class xclbin {
public:
    class kernel {
    public:
        std::size_t get_num_args() const;
        std::shared_ptr<void> handle; /* none: there is no kernel of that name */
    };
    explicit xclbin(const std::string &file);
    kernel get_kernel(const std::string &name) const;
    std::shared_ptr<void> handle;
};

class device {
public:
    explicit device(unsigned int index);
    uuid register_xclbin(const xclbin &binary);
    std::shared_ptr<void> handle;
};

class hw_context {
public:
    enum class access_mode : std::uint8_t { exclusive = 0, shared = 1 };
    hw_context(const device &on, const uuid &binary, access_mode mode);
    std::shared_ptr<void> handle;
};

class kernel {
public:
    kernel(const hw_context &context, const std::string &name);
    int group_id(int argument) const;
    std::shared_ptr<void> handle;
};

class bo {
public:
    enum class flags : std::uint32_t { cacheable = 1u << 24, host_only = 1u << 29 };
    bo(const device &on, std::size_t bytes, flags kind, std::uint32_t group);
    void *map();
    void sync(xclBOSyncDirection direction, std::size_t bytes, std::size_t offset);
    std::shared_ptr<void> handle;
};

class run {
public:
    explicit run(const kernel &of);
    void set_arg_at_index(int index, const void *value, std::size_t bytes);
    void set_arg_at_index(int index, const bo &buffer);
    void start();
    ert_cmd_state wait(const std::chrono::milliseconds &limit) const;
    std::shared_ptr<void> handle;
};

/* Objects go without XRT's own destructor, which does no more than to part a list from its runs:
 * the runs of a list go with it. */
class runlist {
public:
    __attribute__((weak)) explicit runlist(const hw_context &context);
    __attribute__((weak)) void add(const run &one);
    __attribute__((weak)) void execute();
    __attribute__((weak)) std::cv_status wait(const std::chrono::milliseconds &limit) const;
    std::shared_ptr<void> handle;
};

namespace system {
unsigned int enumerate_devices();
}

} /* namespace xrt */

#endif /* HET_XRT_DECLARATIONS_HPP */
