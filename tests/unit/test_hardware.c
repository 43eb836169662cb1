/* SPDX-License-Identifier: Apache-2.0 */
/* Hardware and its state, read from made-up trees of /sys, /proc and /dev as two laptops have them,
 * from files that are malformed or may not be read, and the two parsers by themselves. */
#define _GNU_SOURCE
#include "lib/machine/hardware.h"
#include "test.h"

#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/machine/fdinfo.h"
#include "lib/machine/gpu_metrics.h"

#include <hetinfer.h>

static char root[64];

/* ---- trees ---- */

static char *path_of(char path[512], const char *format, va_list list)
{
    const int n = snprintf(path, 512, "%s/", root);
    vsnprintf(path + n, 512 - (size_t)n, format, list);
    return path;
}

static void make_folders(char *path)
{
    for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
}

/* "PATH=CONTENTS" */
static void make(const char *format, ...)
{
    char path[512];
    va_list list;
    va_start(list, format);
    path_of(path, format, list);
    va_end(list);
    char *text = strchr(path, '=');
    CHECK(text != NULL);
    *text++ = '\0';
    make_folders(path);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    if (f) {
        fprintf(f, "%s\n", text);
        fclose(f);
    }
}

static void make_bytes(const char *name, const void *data, size_t bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    make_folders(path);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL && fwrite(data, 1, bytes, f) == bytes);
    if (f)
        fclose(f);
}

static void make_link(const char *name, const char *target)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    make_folders(path);
    CHECK_INT(symlink(target, path), 0);
}

static void mode(const char *name, mode_t bits)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    CHECK_INT(chmod(path, bits), 0);
}

static void begin_tree(void)
{
    snprintf(root, sizeof root, "/tmp/het_hardware_XXXXXX");
    CHECK(mkdtemp(root) != NULL);
}

static void end_tree(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CHECK_INT(system(command), 0);
}

static void make_pci(const char *address, unsigned class, unsigned vendor, unsigned device,
                     unsigned revision, const char *driver)
{
    char name[160], target[96];
    make("sys/bus/pci/devices/%s/class=0x%06x", address, class);
    make("sys/bus/pci/devices/%s/vendor=0x%04x", address, vendor);
    make("sys/bus/pci/devices/%s/device=0x%04x", address, device);
    make("sys/bus/pci/devices/%s/revision=0x%02x", address, revision);
    if (!driver)
        return;
    snprintf(name, sizeof name, "sys/bus/pci/devices/%s/driver", address);
    snprintf(target, sizeof target, "../../../bus/pci/drivers/%s", driver);
    make_link(name, target);
    snprintf(name, sizeof name, "sys/bus/pci/drivers/%s/%s", driver, address);
    snprintf(target, sizeof target, "../../devices/%s", address);
    make_link(name, target);
}

/* Somebody whose numbers own nothing here, in a group by itself. */
static void make_somebody(unsigned group)
{
    make("proc/self/status=Name:\thetinfer\nUid:\t4242\t4242\t4242\t4242\n"
         "Gid:\t4242\t4242\t4242\t4242\nGroups:\t4242 %u ", group);
}

static void make_processor(const char *name)
{
    make("proc/cpuinfo=processor\t: 0\nvendor_id\t: x\nmodel name\t: %s\nflags\t\t: fpu", name);
    make("proc/stat=cpu  1000 50 300 8000 150 10 20 0 5 0\ncpu0 500 25 150 4000 75 5 10 0 0 0");
    make("proc/meminfo=MemTotal:       32000000 kB\nMemFree:         1000000 kB\n"
         "MemAvailable:   20000000 kB");
    make("sys/devices/system/cpu/online=0-3,8");
    for (int i = 0; i < 4; i++) {
        make("sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq=%d", i, 2000000 + 200000 * i);
        make("sys/devices/system/cpu/cpu%d/cpufreq/cpuinfo_max_freq=%d", i, i < 2 ? 5100000
                                                                               : 3800000);
    }
    make("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq=9");
}

/* A Core Ultra 9 185H: a GPU that xe or i915 drives, and an NPU. */
static void make_intel(const char *driver)
{
    begin_tree();
    make_processor("Intel(R) Core(TM) Ultra 9 185H");
    make("sys/class/powercap/intel-rapl:0/name=package-0");
    make("sys/class/powercap/intel-rapl:0/energy_uj=5000000");
    make("sys/class/powercap/intel-rapl:0/max_energy_range_uj=262143328850");
    make("sys/class/powercap/intel-rapl:0:0/name=core");
    make("sys/class/powercap/intel-rapl:0:0/energy_uj=3000000");
    make("sys/class/powercap/intel-rapl:0:0/max_energy_range_uj=262143328850");
    make("sys/class/powercap/intel-rapl:0:1/name=uncore");
    make("sys/class/powercap/intel-rapl:0:1/energy_uj=250000");
    make("sys/class/powercap/intel-rapl-mmio:0/name=package-0");
    make("sys/class/powercap/intel-rapl-mmio:0/energy_uj=77000000");
    make("sys/class/hwmon/hwmon2/name=acpitz");
    make("sys/class/hwmon/hwmon2/temp1_input=99000");
    make("sys/class/hwmon/hwmon5/name=coretemp");
    make("sys/class/hwmon/hwmon5/temp1_label=Package id 0");
    make("sys/class/hwmon/hwmon5/temp1_input=61500");
    make("sys/class/hwmon/hwmon5/temp1_crit=110000");
    make("sys/class/hwmon/hwmon5/temp2_label=Core 0");
    make("sys/class/hwmon/hwmon5/temp2_input=66000");
    make_pci("0000:00:02.0", 0x030000, 0x8086, 0x7d55, 8, driver);
    make("sys/bus/pci/devices/0000:00:02.0/drm/card1/dev=226:1");
    make("sys/bus/pci/devices/0000:00:02.0/drm/renderD128/dev=226:128");
    make("dev/dri/renderD128=");
    make_pci("0000:00:0b.0", 0x120000, 0x8086, 0x7d1d, 4, "intel_vpu");
    make("sys/bus/pci/devices/0000:00:0b.0/accel/accel0/dev=261:0");
    make("sys/bus/pci/devices/0000:00:0b.0/npu_busy_time_us=1234");
    make("sys/bus/pci/devices/0000:00:0b.0/npu_current_frequency_mhz=950");
    make("sys/bus/pci/devices/0000:00:0b.0/npu_max_frequency_mhz=1400");
    make("dev/accel/accel0=");
    make_pci("0000:00:1f.0", 0x060100, 0x8086, 0x7e02, 0x20, NULL);
    make("etc/group=other:x:77:\nrender:x:%u:somebody", (unsigned)getgid());
}

static void put_half(uint8_t *table, size_t at, unsigned value)
{
    table[at] = (uint8_t)value;
    table[at + 1] = (uint8_t)(value >> 8);
}

static void put_word(uint8_t *table, size_t at, uint32_t value)
{
    put_half(table, at, value & 0xffff);
    put_half(table, at + 2, value >> 16);
}

/* gpu_metrics_v3_0, by the offsets that the kernel's struct has. */
static size_t make_table3(uint8_t table[264])
{
    memset(table, 0xff, 264);
    put_half(table, 0, 264);
    table[2] = 3;
    table[3] = 0;
    put_half(table, 4, 5512); /* degrees of the GPU, hundredths */
    put_half(table, 8, 6001);
    put_half(table, 10, 6420); /* of two cores */
    put_half(table, 42, 37);   /* percent of the GPU */
    for (size_t i = 0; i < 8; i++)
        put_half(table, 46 + 2 * i, i < 4 ? 80 : 0);
    put_half(table, 94, 20000); /* MB/s read */
    put_half(table, 96, 5000);
    put_half(table, 116, 1500);  /* mW of the NPU */
    put_word(table, 124, 12250); /* of the GPU */
    put_word(table, 132, 21000); /* of all cores */
    put_half(table, 174, 2100);
    put_half(table, 180, 1267);
    return 264;
}

/* gpu_metrics_v2_1 of an 8945HS. */
static size_t make_table2(uint8_t table[264], unsigned content)
{
    memset(table, 0xff, 264);
    put_half(table, 0, 120);
    table[2] = 2;
    table[3] = (uint8_t)content;
    put_half(table, 4, 4800);
    put_half(table, 8, 5200);
    put_half(table, 28, 2550);
    put_half(table, 42, 9000);
    put_half(table, 46, 7000);
    put_half(table, 64, 1600);
    return 120;
}

/* A Ryzen 9 8945HS: an integrated GPU and an NPU of the first generation. */
static void make_amd(const uint8_t *table, size_t bytes)
{
    begin_tree();
    make_processor("AMD Ryzen 9 8945HS w/ Radeon 780M Graphics");
    make("sys/class/powercap/intel-rapl:0/name=package-0");
    make("sys/class/powercap/intel-rapl:0/energy_uj=9000000");
    make("sys/class/hwmon/hwmon3/name=k10temp");
    make("sys/class/hwmon/hwmon3/temp1_label=Tctl");
    make("sys/class/hwmon/hwmon3/temp1_input=58250");
    make_pci("0000:c4:00.0", 0x030000, 0x1002, 0x1900, 0xc6, "amdgpu");
    make("sys/bus/pci/devices/0000:c4:00.0/drm/card0/dev=226:0");
    make("sys/bus/pci/devices/0000:c4:00.0/drm/renderD128/dev=226:128");
    make("sys/bus/pci/devices/0000:c4:00.0/gpu_busy_percent=42");
    make("sys/bus/pci/devices/0000:c4:00.0/mem_info_vram_total=536870912");
    make("sys/bus/pci/devices/0000:c4:00.0/mem_info_vram_used=134217728");
    make("sys/bus/pci/devices/0000:c4:00.0/mem_info_gtt_total=16000000000");
    make("sys/bus/pci/devices/0000:c4:00.0/mem_info_gtt_used=1000000000");
    make("sys/bus/pci/devices/0000:c4:00.0/pp_dpm_sclk=0: 800Mhz\n1: 1100Mhz *\n2: 2700Mhz");
    make("sys/bus/pci/devices/0000:c4:00.0/hwmon/hwmon4/name=amdgpu");
    make("sys/bus/pci/devices/0000:c4:00.0/hwmon/hwmon4/power1_average=11005000");
    make("sys/bus/pci/devices/0000:c4:00.0/hwmon/hwmon4/temp1_label=edge");
    make("sys/bus/pci/devices/0000:c4:00.0/hwmon/hwmon4/temp1_input=49000");
    if (bytes)
        make_bytes("sys/bus/pci/devices/0000:c4:00.0/gpu_metrics", table, bytes);
    make("dev/dri/renderD128=");
    make_pci("0000:c5:00.1", 0x118000, 0x1022, 0x1502, 0, "amdxdna");
    make("sys/bus/pci/devices/0000:c5:00.1/accel/accel0/dev=261:0");
    make("sys/bus/pci/devices/0000:c5:00.1/fw_version=1.5.5.391");
    make("sys/bus/pci/devices/0000:c5:00.1/hwmon/hwmon6/name=amdxdna");
    make("sys/bus/pci/devices/0000:c5:00.1/hwmon/hwmon6/power1_label=NPU_power");
    make("sys/bus/pci/devices/0000:c5:00.1/hwmon/hwmon6/power1_input=730000");
    make("sys/bus/pci/devices/0000:c5:00.1/hwmon/hwmon6/temp1_label=NPU_temperature");
    make("sys/bus/pci/devices/0000:c5:00.1/hwmon/hwmon6/temp1_input=45000");
    make("dev/accel/accel0=");
}

static bool known(const het_device_state *s, uint64_t what)
{
    return (s->known & what) == what;
}

/* ---- Intel ---- */

static void an_intel_laptop_is_found(void)
{
    het__hardware list[HET__HARDWARE_MAX];
    make_intel("xe");
    make_somebody((unsigned)getgid());
    mode("dev/dri/renderD128", 0660);
    mode("dev/accel/accel0", 0600);
    CHECK_INT(het__hardware_find(root, list, HET__HARDWARE_MAX), 3);
    CHECK_STR(list[0].info.physical, "cpu");
    CHECK_STR(list[0].info.name, "Intel(R) Core(TM) Ultra 9 185H");
    CHECK_INT(list[0].info.unit_count, 5);
    CHECK_INT(list[0].info.access, HET_ACCESS_ALLOWED);
    CHECK_STR(list[1].info.physical, "pci:0000:00:02.0");
    CHECK_INT(list[1].info.kind, HET_DEVICE_IGPU);
    CHECK_STR(list[1].info.name, "Intel graphics [8086:7d55]");
    CHECK_STR(list[1].info.driver, "xe");
    CHECK_STR(list[1].info.node, "/dev/dri/renderD128");
    CHECK_INT(list[1].info.access, HET_ACCESS_ALLOWED);
    CHECK_STR(list[1].info.group, "render");
    CHECK_INT(list[2].info.kind, HET_DEVICE_NPU);
    CHECK_STR(list[2].info.node, "/dev/accel/accel0");
    CHECK_INT(list[2].info.access, HET_ACCESS_DENIED);
    CHECK_INT(het__hardware_find(root, list, 2), 2);
    CHECK_INT(het__hardware_of(list, 2, HET_DEVICE_GPU, ""), 1);
    CHECK_INT(het__hardware_of(list, 2, HET_DEVICE_GPU, "pci:0000:00:02.0"), 1);
    CHECK_INT(het__hardware_of(list, 2, HET_DEVICE_GPU, "pci:0000:03:00.0"), 2);
    CHECK_INT(het__hardware_of(list, 2, HET_DEVICE_NPU, ""), 2);
    CHECK_INT(het__hardware_of(list, 2, HET_DEVICE_REFERENCE, ""), 0);
    CHECK_INT(het__hardware_of(list, 2, HET_DEVICE_SIMULATED, ""), 2);
    end_tree();
}

static void an_intel_processor_tells_its_state(void)
{
    het__hardware list[HET__HARDWARE_MAX];
    het_device_state s;
    make_intel("xe");
    het__hardware_find(root, list, HET__HARDWARE_MAX);
    het__hardware_state(root, &list[0], &s);
    CHECK(known(&s, HET_STATE_JOULES | HET_STATE_PACKAGE_JOULES | HET_STATE_CELSIUS |
                        HET_STATE_CELSIUS_MAX | HET_STATE_MEGAHERTZ | HET_STATE_MEGAHERTZ_MAX |
                        HET_STATE_BUSY | HET_STATE_MEMORY));
    CHECK(!(s.known & (HET_STATE_WATTS | HET_STATE_LOAD | HET_STATE_DENIED | HET_STATE_TRAFFIC)));
    CHECK_NEAR(s.joules, 3.0, 1e-9);
    CHECK_NEAR(s.joules_wrap, 262143.32885, 1e-6);
    CHECK_NEAR(s.package_joules, 5.0, 1e-9);
    CHECK_NEAR(s.celsius, 61.5, 1e-9);
    CHECK_NEAR(s.celsius_max, 110, 1e-9);
    CHECK_NEAR(s.megahertz, 2300, 1e-9);
    CHECK_NEAR(s.megahertz_max, 5100, 1e-9);
    CHECK_INT(s.busy_of_count, 9530);
    CHECK_INT(s.busy_count, 1380);
    CHECK_INT(s.memory_bytes, INT64_C(32768000000));
    CHECK_INT(s.memory_used_bytes, INT64_C(12288000000));
    end_tree();
}

static void xe_and_i915_tell_their_state(void)
{
    het__hardware list[HET__HARDWARE_MAX];
    het_device_state s;
    make_intel("xe");
    make("sys/bus/pci/devices/0000:00:02.0/tile0/gt0/freq0/act_freq=1850");
    make("sys/bus/pci/devices/0000:00:02.0/tile0/gt0/freq0/max_freq=2350");
    make("proc/self/fdinfo/7=drm-driver:\txe\ndrm-client-id:\t3\ndrm-pdev:\t0000:00:02.0\n"
         "drm-resident-system:\t4096 KiB\ndrm-cycles-rcs:\t100\ndrm-total-cycles-rcs:\t1000\n"
         "drm-cycles-ccs:\t300\ndrm-total-cycles-ccs:\t1000\ndrm-cycles-bcs:\t5");
    make("proc/self/fdinfo/8=drm-driver:\txe\ndrm-client-id:\t3\ndrm-pdev:\t0000:00:02.0\n"
         "drm-resident-system:\t4096 KiB\ndrm-cycles-rcs:\t100\ndrm-total-cycles-rcs:\t1000");
    make("proc/self/fdinfo/9=drm-driver:\txe\ndrm-client-id:\t4\ndrm-pdev:\t0000:03:00.0\n"
         "drm-resident-system:\t77 KiB\ndrm-cycles-rcs:\t9\ndrm-total-cycles-rcs:\t2000");
    make("proc/self/fdinfo/0=pos:\t0\nflags:\t02");
    het__hardware_find(root, list, HET__HARDWARE_MAX);
    het__hardware_state(root, &list[1], &s);
    CHECK_NEAR(s.megahertz, 1850, 0);
    CHECK_NEAR(s.megahertz_max, 2350, 0);
    CHECK_NEAR(s.joules, 0.25, 1e-9);
    CHECK_NEAR(s.joules_wrap, 0, 0);
    CHECK(known(&s, HET_STATE_BUSY | HET_STATE_BUSY_IS_OWN | HET_STATE_OWN_MEMORY));
    CHECK_INT(s.busy_count, 400);
    CHECK_INT(s.busy_of_count, 1000);
    CHECK_INT(s.own_bytes, 4194304);
    CHECK(!(s.known & (HET_STATE_CELSIUS | HET_STATE_MEMORY | HET_STATE_LOAD)));
    het__hardware_state(root, &list[2], &s);
    CHECK_NEAR(s.megahertz, 950, 0);
    CHECK_NEAR(s.megahertz_max, 1400, 0);
    CHECK_INT(s.busy_count, 1234000);
    CHECK(!(s.known & HET_STATE_BUSY_IS_OWN));
    end_tree();

    make_intel("i915");
    make("sys/class/drm/card1/gt/gt0/rps_act_freq_mhz=0");
    make("sys/class/drm/card1/gt/gt0/rps_max_freq_mhz=2350");
    make("sys/class/drm/card1/gt_act_freq_mhz=1");
    make("proc/self/fdinfo/7=drm-driver:\ti915\ndrm-client-id:\t3\ndrm-pdev:\t0000:00:02.0\n"
         "drm-engine-render:\t5000 ns\ndrm-engine-copy:\t70 ns\ndrm-engine-compute:\t1000 ns");
    het__hardware_find(root, list, HET__HARDWARE_MAX);
    het__hardware_state(root, &list[1], &s);
    CHECK(known(&s, HET_STATE_MEGAHERTZ)); /* asleep is known to be 0 */
    CHECK_NEAR(s.megahertz, 0, 0);
    CHECK_NEAR(s.megahertz_max, 2350, 0);
    CHECK_INT(s.busy_count, 6000);
    CHECK_INT(s.busy_of_count, s.time_ns);
    end_tree();
}

/* ---- AMD ---- */

static void an_amd_laptop_tells_its_state(void)
{
    het__hardware list[HET__HARDWARE_MAX];
    uint8_t table[264];
    het_device_state s;
    make_amd(table, make_table2(table, 1));
    CHECK_INT(het__hardware_find(root, list, HET__HARDWARE_MAX), 3);
    CHECK_INT(list[1].info.kind, HET_DEVICE_IGPU);
    CHECK_STR(list[2].info.name, "AMD XDNA NPU (npu1: Phoenix, Hawk Point)");
    CHECK_STR(list[2].info.firmware, "1.5.5.391");
    make("sys/bus/pci/devices/0000:c5:00.1/vbnv=RyzenAI-npu1");
    CHECK_INT(het__hardware_find(root, list, HET__HARDWARE_MAX), 3);
    CHECK_STR(list[2].info.name, "AMD XDNA NPU (npu1: Phoenix, Hawk Point), RyzenAI-npu1");
    CHECK_INT(list[2].info.access, HET_ACCESS_ALLOWED); /* nobody was recorded */
    het__hardware_state(root, &list[0], &s);
    CHECK_NEAR(s.celsius, 58.25, 1e-9);
    CHECK_NEAR(s.package_joules, 9, 1e-9);
    CHECK(!(s.known & (HET_STATE_JOULES | HET_STATE_CELSIUS_MAX)));
    het__hardware_state(root, &list[1], &s);
    CHECK_NEAR(s.watts, 11.005, 1e-9);
    CHECK_NEAR(s.celsius, 49, 1e-9);
    CHECK_NEAR(s.load, 0.42, 1e-9);
    CHECK_NEAR(s.megahertz, 1100, 0);
    CHECK_NEAR(s.megahertz_max, 2700, 0);
    CHECK_INT(s.memory_bytes, 536870912);
    CHECK_INT(s.memory_used_bytes, 134217728);
    CHECK_INT(s.shared_used_bytes, 1000000000);
    het__hardware_state(root, &list[2], &s);
    CHECK_NEAR(s.watts, 0.73, 1e-9);
    CHECK_NEAR(s.celsius, 45, 1e-9);
    CHECK(!(s.known & (HET_STATE_LOAD | HET_STATE_MEGAHERTZ)));
    end_tree();
}

static void the_table_tells_what_files_do_not(void)
{
    het__hardware list[HET__HARDWARE_MAX];
    uint8_t table[264];
    het_device_state s;
    make_amd(table, make_table3(table));
    het__hardware_find(root, list, HET__HARDWARE_MAX);
    het__hardware_state(root, &list[0], &s);
    CHECK_NEAR(s.celsius, 58.25, 1e-9); /* its own sensor goes before */
    CHECK_NEAR(s.watts, 21, 1e-9);
    CHECK_NEAR(s.traffic_bytes_per_s, 25e9, 1);
    het__hardware_state(root, &list[1], &s);
    CHECK_NEAR(s.watts, 11.005, 1e-9);
    CHECK_NEAR(s.load, 0.42, 1e-9);
    het__hardware_state(root, &list[2], &s);
    CHECK_NEAR(s.watts, 0.73, 1e-9);
    CHECK_NEAR(s.load, 0.4, 1e-9);
    CHECK_NEAR(s.megahertz, 1267, 0);
    end_tree();
}

/* ---- what is not as it should be ---- */

static void nothing_is_no_zero(void)
{
    het__hardware list[HET__HARDWARE_MAX];
    het_device_state s;
    begin_tree();
    CHECK_INT(het__hardware_find(root, list, HET__HARDWARE_MAX), 1);
    CHECK_STR(list[0].info.name, "processor");
    het__hardware_state(root, &list[0], &s);
    CHECK_INT(s.known, 0);
    end_tree();
}

static void malformed_files_tell_nothing(void)
{
    static const char *const wrong[] = { "", "x", "12x", "0x", "-", "99999999999999999999", " " };
    het__hardware list[HET__HARDWARE_MAX];
    het_device_state s;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t table[264];
        make_amd(table, 0);
        make("sys/bus/pci/devices/0000:c4:00.0/gpu_metrics=%s", wrong[i]);
        make("sys/bus/pci/devices/0000:c4:00.0/gpu_busy_percent=%s", wrong[i]);
        make("sys/bus/pci/devices/0000:c4:00.0/mem_info_vram_used=%s", wrong[i]);
        make("sys/bus/pci/devices/0000:c4:00.0/pp_dpm_sclk=%s", wrong[i]);
        make("sys/bus/pci/devices/0000:c4:00.0/hwmon/hwmon4/power1_average=%s", wrong[i]);
        make("sys/bus/pci/devices/0000:c4:00.0/hwmon/hwmon4/temp1_input=%s", wrong[i]);
        make("sys/class/powercap/intel-rapl:0/energy_uj=%s", wrong[i]);
        make("sys/class/hwmon/hwmon3/temp1_input=%s", wrong[i]);
        make("proc/stat=%s", wrong[i]);
        make("proc/meminfo=MemTotal: %s", wrong[i]);
        make("sys/devices/system/cpu/online=%s", wrong[i]);
        make("proc/self/fdinfo/3=drm-driver:\t%s\ndrm-pdev:\t%s", wrong[i], wrong[i]);
        CHECK_INT(het__hardware_find(root, list, HET__HARDWARE_MAX), 3);
        CHECK_INT(list[1].info.kind, HET_DEVICE_GPU); /* no table that says else */
        het__hardware_state(root, &list[1], &s);
        CHECK_INT(s.known, HET_STATE_SHARED_MEMORY);
        het__hardware_state(root, &list[0], &s);
        CHECK_INT(s.known, HET_STATE_MEGAHERTZ | HET_STATE_MEGAHERTZ_MAX);
        make("sys/bus/pci/devices/0000:c5:00.1/vendor=%s", wrong[i]);
        CHECK_INT(het__hardware_find(root, list, HET__HARDWARE_MAX), 2);
        end_tree();
    }
}

static void what_may_not_be_read_is_said(void)
{
    het__hardware list[HET__HARDWARE_MAX];
    het_device_state s;
    make_intel("xe");
    make_somebody(4243);
    mode("sys/class/powercap/intel-rapl:0/energy_uj", 0400);
    mode("sys/class/powercap/intel-rapl:0:0/energy_uj", 0400);
    mode("dev/dri/renderD128", 0660);
    het__hardware_find(root, list, HET__HARDWARE_MAX);
    CHECK_INT(list[1].info.access, HET_ACCESS_DENIED);
    het__hardware_state(root, &list[0], &s);
    CHECK(known(&s, HET_STATE_DENIED | HET_STATE_CELSIUS));
    CHECK(!(s.known & (HET_STATE_JOULES | HET_STATE_PACKAGE_JOULES)));
    mode("dev/dri/renderD128", 0666);
    het__hardware_find(root, list, HET__HARDWARE_MAX);
    CHECK_INT(list[1].info.access, HET_ACCESS_ALLOWED);
    end_tree();
    make_intel("xe");
    char path[128];
    snprintf(path, sizeof path, "%s/dev/dri/renderD128", root);
    CHECK_INT(unlink(path), 0);
    het__hardware_find(root, list, HET__HARDWARE_MAX);
    CHECK_INT(list[1].info.access, HET_ACCESS_NONE);
    end_tree();
}

/* ---- parsers ---- */

static void tables_are_read_within_their_bounds(void)
{
    uint8_t table[264];
    het__gpu_metrics m;
    const size_t bytes = make_table3(table);
    CHECK(het__gpu_metrics_parse(table, bytes, &m));
    CHECK_NEAR(m.gpu_celsius, 55.12, 1e-9);
    CHECK_NEAR(m.cpu_celsius, 64.20, 1e-9);
    CHECK_NEAR(m.gpu_load, 0.37, 1e-9);
    CHECK_NEAR(m.npu_load, 0.4, 1e-9);
    CHECK_NEAR(m.gpu_watts, 12.25, 1e-9);
    CHECK_NEAR(m.npu_watts, 1.5, 1e-9);
    CHECK_NEAR(m.gpu_megahertz, 2100, 0);
    put_half(table, 42, 3700); /* hundredths of a percent */
    put_half(table, 46, 9000);
    put_word(table, 124, UINT32_MAX);
    CHECK(het__gpu_metrics_parse(table, bytes, &m));
    CHECK_NEAR(m.gpu_load, 0.37, 1e-9);
    CHECK_NEAR(m.npu_load, (9000 + 3 * 80) / 8.0 / 10000, 1e-9);
    CHECK(isnan(m.gpu_watts));
    for (size_t n = 0; n < bytes; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, table, n);
        CHECK(!het__gpu_metrics_parse(copy, n, &m)); /* its header says that there is more */
        free(copy);
    }
    put_half(table, 0, 200); /* shorter than its form */
    CHECK(het__gpu_metrics_parse(table, bytes, &m) && m.is_chip && isnan(m.gpu_load));
    CHECK(het__gpu_metrics_parse(table, make_table2(table, 4), &m));
    CHECK_NEAR(m.gpu_load, 0.255, 1e-9);
    CHECK_NEAR(m.gpu_watts, 7, 1e-9);
    CHECK(het__gpu_metrics_parse(table, make_table2(table, 1), &m));
    CHECK_NEAR(m.gpu_celsius, 48, 1e-9);
    CHECK(isnan(m.gpu_load) && isnan(m.gpu_watts));
    table[2] = 1; /* a graphics card's */
    CHECK(het__gpu_metrics_parse(table, 120, &m) && !m.is_chip && isnan(m.gpu_celsius));
}

static bool parse(const char *text, het__fdinfo *info)
{
    return het__fdinfo_parse(text, strlen(text), info);
}

static void fdinfo_is_read_line_by_line(void)
{
    het__fdinfo info;
    CHECK(!parse("pos:\t0\nflags:\t02\n", &info));
    CHECK(parse("drm-driver:\tamdgpu\ndrm-memory-vram:\t10 KiB\ndrm-engine-gfx:\t7 ns\n"
                "drm-engine-compute:\t5 ns\ndrm-engine-capacity-gfx:\t2\ndrm-engine-enc:\t9 ns",
                &info));
    CHECK_INT(info.bytes, 10240);
    CHECK_INT(info.busy_ns, 12);
    CHECK(!info.has_client && info.has_bytes && info.has_ns && !info.has_cycles);
    CHECK(parse("drm-driver: amdxdna_accel_driver\ndrm-engine-npu-amdxdna: 300 ns\n"
                "drm-memory-x: 9\ndrm-resident-memory: 2 MiB\ndrm-client-id: 12", &info));
    CHECK_INT(info.busy_ns, 300);
    CHECK_INT(info.bytes, 2097152);
    CHECK_INT(info.client, 12);
    CHECK_STR(info.driver, "amdxdna_accel_d");
    CHECK(parse("drm-driver:xe\ndrm-engine-gfx:99999999999999999999999 ns\n"
                "drm-resident-x: 18446744073709551615 MiB\ndrm-cycles-rcs: 5\n"
                "drm-engine-render: 4\n:\n\ndrm-pdev:", &info));
    CHECK(info.busy_ns == UINT64_MAX && info.bytes == UINT64_MAX);
    CHECK(!info.has_cycles && info.address[0] == '\0'); /* of how many cycles is not told */
}

/* ---- the public functions ---- */

static void between_two_reads(void)
{
    het_device_state a = { .struct_size = sizeof a, .time_ns = 1000000000 }, b = a, d = a;
    CHECK_INT(het_device_state_between(&a, &b, &d), HET_E_INVALID);
    b.time_ns = 3000000000;
    a.known = b.known = HET_STATE_JOULES | HET_STATE_BUSY;
    a.joules = 10;
    b.joules = 40;
    b.joules_wrap = 100;
    a.busy_count = 100;
    a.busy_of_count = 1000;
    b.busy_count = 150;
    b.busy_of_count = 1200;
    CHECK_INT(het_device_state_between(&a, &b, &d), HET_OK);
    CHECK_NEAR(d.watts, 15, 1e-9);
    CHECK_NEAR(d.load, 0.25, 1e-9);
    CHECK(known(&d, HET_STATE_WATTS | HET_STATE_LOAD));
    a.joules = 90; /* began anew */
    CHECK_INT(het_device_state_between(&a, &b, &d), HET_OK);
    CHECK_NEAR(d.watts, 25, 1e-9);
    b.joules_wrap = 0;
    b.known |= HET_STATE_LOAD | HET_STATE_BUSY_IS_OWN;
    b.load = 0.9;
    CHECK_INT(het_device_state_between(&a, &b, &d), HET_OK);
    CHECK(!(d.known & HET_STATE_WATTS));
    CHECK_NEAR(d.load, 0.9, 0);
    b.kind = HET_DEVICE_NPU;
    CHECK_INT(het_device_state_between(&a, &b, &d), HET_E_INVALID);
}

static void hardware_through_the_interface(void)
{
    uint8_t table[264];
    make_amd(table, make_table3(table));
    het_error err = HET_ERROR_INIT;
    het_context_options co = HET_CONTEXT_OPTIONS_INIT;
    het_context *context = NULL;
    het_hardware *hardware = NULL;
    setenv("HETINFER_SYSTEM_ROOT", root, 1);
    co.backends = "ref,sim";
    CHECK_INT(het_context_create(&co, &context, &err), HET_OK);
    het_hardware_options o = HET_HARDWARE_OPTIONS_INIT;
    o.root = root;
    CHECK_INT(het_hardware_find(context, &o, &hardware, &err), HET_OK);
    CHECK_INT(het_hardware_count(hardware), 3);
    het_hardware_info info = { .struct_size = sizeof info };
    het_device_state state = { .struct_size = sizeof state };
    CHECK_INT(het_hardware_at(hardware, 2, &info), HET_OK);
    CHECK_INT(info.kind, HET_DEVICE_NPU);
    CHECK_INT(info.device_index, UINT32_MAX);
    CHECK_INT(het_hardware_at(hardware, 3, &info), HET_E_INVALID);
    CHECK_INT(het_hardware_state(hardware, 2, &state), HET_OK);
    CHECK_NEAR(state.watts, 0.73, 1e-9);
    CHECK_INT(het_hardware_state(hardware, 3, &state), HET_E_INVALID);
    state.struct_size = 0;
    CHECK_INT(het_hardware_state(hardware, 0, &state), HET_E_INVALID);
    state.struct_size = sizeof state;
    CHECK_INT(het_device_get_state(het_context_device(context, 0), &state), HET_OK);
    CHECK_NEAR(state.celsius, 58.25, 1e-9);
    CHECK_INT(het_device_get_state(het_context_device(context, 1), &state), HET_E_UNSUPPORTED);
    het_hardware_destroy(hardware);
    o.root = "/nowhere/at/all";
    CHECK_INT(het_hardware_find(context, &o, &hardware, &err), HET_E_IO);
    o.root = "";
    CHECK_INT(het_hardware_find(context, &o, &hardware, &err), HET_E_INVALID);
    CHECK_INT(het_hardware_find(context, NULL, &hardware, &err), HET_OK);
    het_context_destroy(context);
    CHECK_INT(het_hardware_at(hardware, 0, &info), HET_OK);
    CHECK_INT(info.device_index, 0); /* the reference device computes on it */
    het_hardware_destroy(hardware);
    het_hardware_destroy(NULL);
    end_tree();
}

int main(void)
{
    test_case(an_intel_laptop_is_found);
    test_case(an_intel_processor_tells_its_state);
    test_case(xe_and_i915_tell_their_state);
    test_case(an_amd_laptop_tells_its_state);
    test_case(the_table_tells_what_files_do_not);
    test_case(nothing_is_no_zero);
    test_case(malformed_files_tell_nothing);
    test_case(what_may_not_be_read_is_said);
    test_case(tables_are_read_within_their_bounds);
    test_case(fdinfo_is_read_line_by_line);
    test_case(between_two_reads);
    test_case(hardware_through_the_interface);
    return test_finish();
}
