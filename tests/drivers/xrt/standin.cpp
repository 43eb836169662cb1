// SPDX-License-Identifier: Apache-2.0
// A stand-in for libxrt_coreutil.so.2: the symbols that the backend uses and no other, over the
// array of array.cpp. It holds callers to the contract and fails when it is told to.
//
//   memory     a buffer has two sides. What the host writes the array sees after a sync to the
//              device; what the array writes the host sees after a sync from it, and before that
//              what was there
//   runs       what is started goes into a queue, which a thread of the stand-in's executes in
//              order; a wait ends when that is done, or at its limit
//   rules      arguments set and of the right kind, flags and group of each buffer, opcode 3, count
//              of instructions, syncs within the buffer, no start of what is running: a broken rule
//              throws and is counted
//   xclbin     a text that begins with "stand-in xclbin"; then lines "key value" (keys below)
//
// HETINFER_XRT_STANDIN=key=value[,…] says what there is and what fails; counting begins anew when
// the text changes, and a lost device is back.
//
//   devices=N columns=N contexts=N       what there is: 1, 4 and 6
//   delay=MS                             that the array takes longer for what is started
//   fail=FAULT@CALL#N[+]                 the N-th call of CALL (from 1), with + and all after it
//
// CALL: enumerate device xclbin register context kernel group bo map sync run set start wait list
// add (start and wait: of runs and of lists of runs), or any. FAULT: error (EIO), busy (EBUSY),
// nomem (ENOMEM), exhausted (ENOSPC), lost (ENODEV, and so does everything later), strange (an
// exception of no known type), timeout (ETIME; of a wait: the state), of a start alone: hang (it
// never ends, until the text changes), and of a wait alone: failed, abort, noresponse (states),
// wrong (a result is spoilt).
#include "backends/amd_xrt_npu/xrt_declarations.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "array.hpp"

extern "C" {
// For tests in the same process.
__attribute__((visibility("default"))) unsigned xrt_standin_broken_rules(char *text, size_t bytes);
__attribute__((visibility("default"))) unsigned xrt_standin_calls(const char *name);
__attribute__((visibility("default"))) unsigned long long xrt_standin_cycles(void);
__attribute__((visibility("default"))) unsigned xrt_standin_objects(void);
}

namespace {

// ---- what there is and what fails ----

struct fault {
    std::string kind, call;
    unsigned number = 0;
    bool and_later = false;
};

struct job;

// Of a process. The lock guards all of it, and which runs are under way.
struct world {
    std::recursive_mutex lock;
    std::condition_variable_any change;
    std::deque<std::shared_ptr<job>> queue;
    bool has_thread = false;
    unsigned delay_ms = 0;
    std::string text;
    unsigned devices = 1, columns = 4, contexts = 6;
    std::vector<fault> faults;
    std::map<std::string, unsigned> calls;
    bool is_lost = false;
    unsigned age = 0; // of the text: what an earlier one left hanging takes no columns
    unsigned open_contexts = 0, open_columns = 0;
    unsigned broken = 0;
    std::atomic<unsigned> objects{ 0 };
    std::string first_broken;
    std::uint64_t cycles = 0;
    std::map<std::string, standin::design> registered; // by the bytes of their uuids
};

world &the_world()
{
    static world *w = new world; // outlives everything that may be let go of late
    return *w;
}

using guard = std::unique_lock<std::recursive_mutex>;

struct counted {
    counted() { the_world().objects++; }
    ~counted() { the_world().objects--; }
    counted(const counted &) = delete;
    counted &operator=(const counted &) = delete;
};

void set(world &w, const std::string &key, const std::string &value)
{
    if (key == "devices")
        w.devices = static_cast<unsigned>(std::stoul(value));
    else if (key == "columns")
        w.columns = static_cast<unsigned>(std::stoul(value));
    else if (key == "delay")
        w.delay_ms = static_cast<unsigned>(std::stoul(value));
    else if (key == "contexts")
        w.contexts = static_cast<unsigned>(std::stoul(value));
    else if (key == "fail") {
        const auto at = value.find('@'), number = value.find('#');
        fault f;
        f.kind = value.substr(0, at);
        f.call = value.substr(at + 1, number - at - 1);
        f.and_later = value.back() == '+';
        f.number = static_cast<unsigned>(std::stoul(value.substr(number + 1)));
        w.faults.push_back(f);
    }
}

void look_at_environment(world &w)
{
    const char *now = std::getenv("HETINFER_XRT_STANDIN");
    if (w.text == (now ? now : ""))
        return;
    w.text = now ? now : "";
    w.devices = 1;
    w.columns = 4;
    w.contexts = 6;
    w.delay_ms = 0;
    w.faults.clear();
    w.calls.clear();
    w.is_lost = false;
    w.age++;
    w.open_contexts = w.open_columns = 0;
    w.change.notify_all();
    std::stringstream list(w.text);
    std::string part;
    while (std::getline(list, part, ',')) {
        const auto equals = part.find('=');
        if (equals != std::string::npos)
            set(w, part.substr(0, equals), part.substr(equals + 1));
    }
}

[[noreturn]] void fail(int code, const char *what)
{
    throw std::system_error(code, std::generic_category(), what);
}

[[noreturn]] void rule(const std::string &what)
{
    world &w = the_world();
    const guard hold(w.lock);
    if (w.broken++ == 0)
        w.first_broken = what;
    throw std::runtime_error("stand-in: " + what);
}

// A call begins. Gives the fault that it meets if the caller must act on it.
std::string begin(const char *name)
{
    world &w = the_world();
    const guard hold(w.lock);
    look_at_environment(w);
    const unsigned own = ++w.calls[name], any = ++w.calls["any"];
    if (w.is_lost)
        fail(ENODEV, "the device is lost");
    for (const fault &f : w.faults) {
        const unsigned number = f.call == "any" ? any : f.call == name ? own : 0;
        if (number != f.number && !(f.and_later && number > f.number))
            continue;
        if (f.kind == "error")
            fail(EIO, "told to fail");
        if (f.kind == "busy")
            fail(EBUSY, "told to fail");
        if (f.kind == "nomem")
            fail(ENOMEM, "told to fail");
        if (f.kind == "exhausted")
            fail(ENOSPC, "told to fail");
        if (f.kind == "strange")
            throw 42;
        if (f.kind == "lost") {
            w.is_lost = true;
            fail(ENODEV, "told to be lost");
        }
        if (std::string(name) == "wait" || f.kind == "hang")
            return f.kind;
        if (f.kind == "timeout")
            fail(ETIME, "told to time out");
    }
    return "";
}

// ---- objects ----

struct xclbin_object : counted {
    standin::design design;
};

struct kernel_entry : counted {
    unsigned arguments = 0;
};

struct device_object : counted {
    unsigned index = 0;
};

struct buffer_object : counted {
    std::vector<unsigned char> host, device;
    xrt::bo::flags kind{};
    unsigned group = 0;
    bool is_mapped = false;
};

struct run_object;

struct context_object : counted {
    standin::design design;
    unsigned age = the_world().age;
    explicit context_object(const standin::design &d) : design(d)
    {
        const guard hold(the_world().lock);
        the_world().open_contexts++;
        the_world().open_columns += d.columns;
    }
    ~context_object()
    {
        const guard hold(the_world().lock);
        if (age != the_world().age)
            return;
        the_world().open_contexts--;
        the_world().open_columns -= design.columns;
    }
};

struct kernel_object : counted {
    std::shared_ptr<context_object> context;
};

struct run_object : counted, std::enable_shared_from_this<run_object> {
    std::shared_ptr<context_object> context;
    std::map<int, std::vector<unsigned char>> values;
    std::map<int, std::shared_ptr<buffer_object>> buffers;
    ert_cmd_state state = ERT_CMD_STATE_NEW;
    bool is_running = false, is_listed = false;
    std::string met; // the fault of a wait that gave up before the end
};

struct list_object : counted {
    std::shared_ptr<context_object> context;
    std::vector<std::shared_ptr<run_object>> runs;
    bool is_running = false;
    ert_cmd_state state = ERT_CMD_STATE_COMPLETED; // of the first run that failed
    std::string met;                               // as in a run
};

// What was started at once.
struct job {
    std::vector<std::shared_ptr<run_object>> runs;
    std::shared_ptr<list_object> list; // none: one run alone
    unsigned age = 0;
    bool hangs = false;
};

template <typename Object> Object &of(const std::shared_ptr<void> &handle)
{
    if (!handle)
        rule("an object that was never made");
    return *static_cast<Object *>(handle.get());
}

// ---- xclbin ----

standin::design read_xclbin(const std::string &path)
{
    std::ifstream file(path);
    std::string line, key, value;
    standin::design d;
    if (!std::getline(file, line) || line != "stand-in xclbin")
        throw std::runtime_error(path + " is no xclbin");
    while (std::getline(file, line)) {
        std::stringstream words(line);
        words >> key >> value;
        const auto number = [&] { return static_cast<unsigned>(std::stoul(value)); };
        if (key == "kernel")
            d.kernel = value;
        else if (key == "uuid")
            d.uuid = value;
        else if (key == "arguments")
            d.arguments = number();
        else if (key == "columns")
            d.columns = number();
        else if (key == "core_rows")
            d.core_rows = number();
        else if (key == "tile_rows")
            d.tile_rows = number();
        else if (key == "tile_inner")
            d.tile_inner = number();
        else if (key == "tile_columns")
            d.tile_columns = number();
        else if (key == "inner")
            d.inner = number();
        else if (key == "bf16")
            d.is_bf16 = number() != 0;
        else if (key == "wrong")
            d.is_wrong = number() != 0;
        else if (key == "silent")
            d.is_silent = number() != 0;
        else if (key == "group")
            d.group = static_cast<int>(number());
        else
            throw std::runtime_error(path + " has a key that is not known: " + key);
    }
    return d;
}

xrt::uuid uuid_of(const standin::design &d)
{
    xrt::uuid id;
    std::uint64_t h = 1469598103934665603u;
    for (const char c : d.uuid + d.kernel)
        h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
    std::memcpy(id.bytes, &h, sizeof h);
    id.bytes[15] = static_cast<unsigned char>(d.inner / 16);
    id.bytes[14] = static_cast<unsigned char>(d.columns);
    id.bytes[13] = static_cast<unsigned char>(d.is_wrong + 2 * d.is_silent + 4 * d.is_bf16);
    id.bytes[12] = static_cast<unsigned char>(d.tile_rows);
    return id;
}

std::string key_of(const xrt::uuid &id)
{
    return std::string(reinterpret_cast<const char *>(id.bytes), sizeof id.bytes);
}

// ---- running ----

template <typename Value> Value value_at(const run_object &r, int argument)
{
    const auto found = r.values.find(argument);
    Value v{};
    if (found == r.values.end() || found->second.size() != sizeof v)
        rule("argument " + std::to_string(argument) + " is not set or has another size");
    std::memcpy(&v, found->second.data(), sizeof v);
    return v;
}

const buffer_object &buffer_at(const run_object &r, int argument, xrt::bo::flags kind)
{
    const auto found = r.buffers.find(argument);
    if (found == r.buffers.end())
        rule("argument " + std::to_string(argument) + " is no buffer");
    const buffer_object &b = *found->second;
    if (b.kind != kind)
        rule("the buffer of argument " + std::to_string(argument) + " has other flags");
    if (static_cast<int>(b.group) != r.context->design.group + argument)
        rule("the buffer of argument " + std::to_string(argument) + " is of another group");
    return b;
}

void check_arguments(const run_object &r)
{
    if (value_at<std::uint64_t>(r, 0) != 3)
        rule("the opcode is not 3");
    const buffer_object &instructions = buffer_at(r, 1, xrt::bo::flags::cacheable);
    if (4u * static_cast<std::size_t>(value_at<std::uint32_t>(r, 2)) > instructions.device.size())
        rule("more instructions than the buffer has");
    for (int i = 3; i < 6; i++)
        buffer_at(r, i, xrt::bo::flags::host_only);
}

// Without the lock: what a run that is under way refers to, nobody changes.
ert_cmd_state execute(run_object &r)
{
    world &w = the_world();
    standin::memory memory[3];
    for (int i = 0; i < 3; i++)
        memory[i] = { r.buffers[3 + i]->device.data(), r.buffers[3 + i]->device.size() };
    std::vector<std::uint32_t> words(value_at<std::uint32_t>(r, 2));
    std::memcpy(words.data(), r.buffers[1]->device.data(), 4 * words.size());
    try {
        const auto cycles =
            standin::execute(r.context->design, words.data(), words.size(), memory);
        const guard hold(w.lock);
        w.cycles += cycles;
        return ERT_CMD_STATE_COMPLETED;
    } catch (const standin::stuck &) {
        return ERT_CMD_STATE_TIMEOUT;
    } catch (const standin::broken &e) {
        const guard hold(w.lock);
        if (w.broken++ == 0)
            w.first_broken = e.what();
        return ERT_CMD_STATE_ERROR;
    }
}

void run_job(world &w, const std::shared_ptr<job> &j, guard &hold)
{
    const unsigned delay = w.delay_ms;
    ert_cmd_state state = ERT_CMD_STATE_COMPLETED;
    while (j->hangs && w.age == j->age)
        w.change.wait(hold);
    if (delay) {
        hold.unlock();
        std::this_thread::sleep_for(std::chrono::milliseconds(delay));
        hold.lock();
    }
    for (const auto &r : j->runs) {
        if (state == ERT_CMD_STATE_COMPLETED && !j->hangs) {
            hold.unlock();
            state = execute(*r);
            hold.lock();
        }
        r->state = state;
        r->is_running = false;
    }
    if (j->list) {
        j->list->state = state;
        j->list->is_running = false;
    }
}

void run_queue()
{
    world &w = the_world();
    guard hold(w.lock);
    for (;;) {
        while (w.queue.empty())
            w.change.wait(hold);
        std::shared_ptr<job> next = w.queue.front();
        w.queue.pop_front();
        run_job(w, next, hold);
        next.reset(); // before anybody counts objects
        w.change.notify_all();
    }
}

// The lock is held.
void hand_over(world &w, std::shared_ptr<job> j, const std::string &kind)
{
    j->age = w.age;
    j->hangs = kind == "hang";
    for (const auto &r : j->runs)
        r->is_running = true;
    if (j->list)
        j->list->is_running = true;
    w.queue.push_back(std::move(j));
    if (!w.has_thread)
        std::thread(run_queue).detach();
    w.has_thread = true;
    w.change.notify_all();
}

// Until it does not run any more; false: the limit has passed.
bool wait_until_done(const bool &is_running, std::chrono::milliseconds limit)
{
    world &w = the_world();
    guard hold(w.lock);
    const auto until = std::chrono::steady_clock::now() + limit;
    while (is_running)
        if (w.change.wait_until(hold, until) == std::cv_status::timeout)
            return !is_running;
    return true;
}

// A wait that gives up before the end leaves its fault to the next one.
void keep_fault(std::string &met, std::string &kind)
{
    if (kind.empty())
        kind = met;
    met = kind;
}

void spoil(run_object &r)
{
    r.buffers[5]->device[r.buffers[5]->device.size() / 2] ^= 0x40;
}

ert_cmd_state told(const std::string &kind, ert_cmd_state state)
{
    return kind == "failed"       ? ERT_CMD_STATE_ERROR
           : kind == "abort"      ? ERT_CMD_STATE_ABORT
           : kind == "noresponse" ? ERT_CMD_STATE_NORESPONSE
           : kind == "timeout"    ? ERT_CMD_STATE_TIMEOUT
                                  : state;
}

} // namespace

unsigned xrt_standin_broken_rules(char *text, size_t bytes)
{
    world &w = the_world();
    const guard hold(w.lock);
    if (bytes > 0) {
        std::strncpy(text, w.first_broken.c_str(), bytes - 1);
        text[bytes - 1] = 0;
    }
    return w.broken;
}

unsigned xrt_standin_calls(const char *name)
{
    const guard hold(the_world().lock);
    return the_world().calls[name];
}

unsigned long long xrt_standin_cycles(void)
{
    const guard hold(the_world().lock);
    return the_world().cycles;
}

unsigned xrt_standin_objects(void)
{
    return the_world().objects;
}

// ---- XRT ----

namespace xrt {

unsigned int system::enumerate_devices()
{
    begin("enumerate");
    return the_world().devices;
}

device::device(unsigned int index)
{
    begin("device");
    if (index >= the_world().devices)
        throw std::runtime_error("No such device with index '" + std::to_string(index) + "'");
    auto made = std::make_shared<device_object>();
    made->index = index;
    handle = made;
}

uuid device::register_xclbin(const xclbin &binary)
{
    begin("register");
    of<device_object>(handle);
    const standin::design &d = of<xclbin_object>(binary.handle).design;
    const uuid id = uuid_of(d);
    the_world().registered[key_of(id)] = d;
    return id;
}

xclbin::xclbin(const std::string &file)
{
    begin("xclbin");
    auto made = std::make_shared<xclbin_object>();
    made->design = read_xclbin(file);
    handle = made;
}

xclbin::kernel xclbin::get_kernel(const std::string &name) const
{
    kernel found;
    const standin::design &d = of<xclbin_object>(handle).design;
    if (name == d.kernel) {
        auto made = std::make_shared<kernel_entry>();
        made->arguments = d.arguments;
        found.handle = made;
    }
    return found;
}

std::size_t xclbin::kernel::get_num_args() const
{
    return of<kernel_entry>(handle).arguments;
}

#ifndef XRT_STANDIN_OLD
hw_context::hw_context(const device &on, const uuid &binary, access_mode mode)
{
    begin("context");
    of<device_object>(on.handle);
    world &w = the_world();
    const auto found = w.registered.find(key_of(binary));
    if (found == w.registered.end() || mode != access_mode::shared)
        rule("a context of an xclbin that is not registered, or not shared");
    if (w.open_contexts == w.contexts || w.open_columns + found->second.columns > w.columns)
        fail(ENOSPC, "no columns are left");
    handle = std::make_shared<context_object>(found->second);
}
#endif

kernel::kernel(const hw_context &context, const std::string &name)
{
    begin("kernel");
    auto made = std::make_shared<kernel_object>();
    of<context_object>(context.handle);
    made->context = std::static_pointer_cast<context_object>(context.handle);
    if (made->context->design.kernel != name)
        throw std::runtime_error("No such kernel '" + name + "'");
    handle = made;
}

int kernel::group_id(int argument) const
{
    begin("group");
    const standin::design &d = of<kernel_object>(handle).context->design;
    if (argument < 0 || static_cast<unsigned>(argument) >= d.arguments)
        throw std::out_of_range("no argument " + std::to_string(argument));
    if (argument == 0 || argument == 2)
        rule("a number has no group");
    return d.group + argument;
}

bo::bo(const device &on, std::size_t bytes, flags kind, std::uint32_t group)
{
    begin("bo");
    of<device_object>(on.handle);
    if (bytes == 0 || (kind != flags::cacheable && kind != flags::host_only))
        rule("a buffer of no bytes or of no known kind");
    auto made = std::make_shared<buffer_object>();
    made->host.assign(bytes, 0xa5);
    made->device.assign(bytes, 0x5a);
    made->kind = kind;
    made->group = group;
    handle = made;
}

void *bo::map()
{
    begin("map");
    of<buffer_object>(handle).is_mapped = true;
    return of<buffer_object>(handle).host.data();
}

void bo::sync(xclBOSyncDirection direction, std::size_t bytes, std::size_t offset)
{
    begin("sync");
    buffer_object &b = of<buffer_object>(handle);
    if (bytes > b.host.size() || offset > b.host.size() - bytes)
        rule("a sync beyond the buffer");
    if (direction == XCL_BO_SYNC_BO_TO_DEVICE)
        std::memcpy(&b.device[offset], &b.host[offset], bytes);
    else
        std::memcpy(&b.host[offset], &b.device[offset], bytes);
}

run::run(const kernel &of_kernel)
{
    begin("run");
    auto made = std::make_shared<run_object>();
    made->context = of<kernel_object>(of_kernel.handle).context;
    handle = made;
}

void run::set_arg_at_index(int index, const void *value, std::size_t bytes)
{
    begin("set");
    run_object &r = of<run_object>(handle);
    if (r.is_running || (index != 0 && index != 2))
        rule("a number is set while the run is under way, or where a buffer belongs");
    const auto *at = static_cast<const unsigned char *>(value);
    r.values[index].assign(at, at + bytes);
}

void run::set_arg_at_index(int index, const bo &buffer)
{
    begin("set");
    run_object &r = of<run_object>(handle);
    if (r.is_running || index < 1 || index == 2 ||
        static_cast<unsigned>(index) >= r.context->design.arguments)
        rule("a buffer is set while the run is under way, or where none belongs");
    of<buffer_object>(buffer.handle);
    r.buffers[index] = std::static_pointer_cast<buffer_object>(buffer.handle);
}

void run::start()
{
    const std::string kind = begin("start");
    world &w = the_world();
    const guard hold(w.lock);
    run_object &r = of<run_object>(handle);
    if (r.is_running || r.is_listed)
        rule("a run is started while it is under way, or while it is of a list");
    check_arguments(r);
    r.met.clear();
    auto j = std::make_shared<job>();
    j->runs.push_back(r.shared_from_this());
    hand_over(w, j, kind);
}

ert_cmd_state run::wait(const std::chrono::milliseconds &limit) const
{
    std::string kind = begin("wait");
    run_object &r = of<run_object>(handle);
    if (limit.count() <= 0)
        rule("a wait without a limit");
    if (kind == "timeout")
        return ERT_CMD_STATE_TIMEOUT;
    keep_fault(r.met, kind);
    if (!wait_until_done(r.is_running, limit))
        return ERT_CMD_STATE_TIMEOUT;
    r.met.clear();
    if (kind == "wrong")
        spoil(r);
    return told(kind, r.state);
}

#ifndef XRT_STANDIN_NO_LISTS
runlist::runlist(const hw_context &context)
{
    begin("list");
    of<context_object>(context.handle);
    auto made = std::make_shared<list_object>();
    made->context = std::static_pointer_cast<context_object>(context.handle);
    handle = made;
}

void runlist::add(const run &one)
{
    begin("add");
    const guard hold(the_world().lock);
    list_object &list = of<list_object>(handle);
    run_object &r = of<run_object>(one.handle);
    if (list.is_running || r.is_listed || r.is_running || r.context != list.context)
        rule("a run is added to a list that is under way or of another context, or twice");
    r.is_listed = true;
    list.runs.push_back(r.shared_from_this());
}

void runlist::execute()
{
    const std::string kind = begin("start");
    world &w = the_world();
    const guard hold(w.lock);
    list_object &list = of<list_object>(handle);
    if (list.is_running)
        rule("a list is started while it is under way");
    for (const auto &r : list.runs)
        check_arguments(*r);
    list.met.clear();
    auto j = std::make_shared<job>();
    j->runs = list.runs;
    j->list = std::static_pointer_cast<list_object>(handle);
    hand_over(w, j, kind);
}

std::cv_status runlist::wait(const std::chrono::milliseconds &limit) const
{
    std::string kind = begin("wait");
    list_object &list = of<list_object>(handle);
    if (limit.count() <= 0)
        rule("a wait without a limit");
    keep_fault(list.met, kind);
    if (kind != "timeout" && !wait_until_done(list.is_running, limit))
        return std::cv_status::timeout;
    list.met.clear();
    if (kind == "wrong")
        spoil(*list.runs.back());
    switch (told(kind, list.state)) {
    case ERT_CMD_STATE_COMPLETED: return std::cv_status::no_timeout;
    case ERT_CMD_STATE_TIMEOUT:
        throw std::runtime_error("runlist failed execution (ERT_CMD_STATE_TIMEOUT)");
    case ERT_CMD_STATE_ABORT:
        throw std::runtime_error("runlist failed execution (ERT_CMD_STATE_ABORT)");
    case ERT_CMD_STATE_NORESPONSE:
        throw std::runtime_error("runlist failed execution (ERT_CMD_STATE_NORESPONSE)");
    default: throw std::runtime_error("runlist failed execution (ERT_CMD_STATE_ERROR)");
    }
}
#endif

} // namespace xrt
