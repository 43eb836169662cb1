# SPDX-License-Identifier: Apache-2.0
"""Files of made-up machines, as far as `hetinfer doctor --root` looks at them.

    doctor_trees.py NAME FOLDER      make one, to look at what the command says of it
"""
import pathlib
import sys

DEBIAN = ('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\n'
          'VERSION_ID="12"\nID=debian\nHOME_URL="https://www.debian.org/"\n')
UBUNTU = 'PRETTY_NAME="Ubuntu 24.04.2 LTS"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n'
MINT = 'PRETTY_NAME="Linux Mint 22"\nID=linuxmint\nID_LIKE="ubuntu debian"\n'
FEDORA = 'PRETTY_NAME="Fedora Linux 42 (Workstation Edition)"\nID=fedora\nVERSION_ID=42\n'
ARCH = 'PRETTY_NAME="Arch Linux"\nID=arch\nBUILD_ID=rolling\n'
LIBRARIES = 'usr/lib/x86_64-linux-gnu'


class Tree:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def file(self, path, text='', mode=0o644):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding='utf-8')
        target.chmod(mode)

    def link(self, path, leads_to):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(leads_to)

    def library(self, name, version='', folder=LIBRARIES):
        whole = name.split('.so.')[0] + '.so.' + version if version else name
        self.file(f'{folder}/{whole}')
        if whole != name:
            self.link(f'{folder}/{name}', whole)

    def system(self, release, kernel, processor, threads):
        self.file('etc/os-release', release)
        self.file('proc/sys/kernel/osrelease', kernel + '\n')
        self.file('proc/cpuinfo', f'processor\t: 0\nmodel name\t: {processor}\n')
        self.file('proc/stat', 'cpu  1000 50 300 8000 150 10 20 0 5 0\n')
        self.file('proc/meminfo', 'MemTotal:       32000000 kB\nMemAvailable:   20000000 kB\n')
        self.file('proc/self/status', 'Uid:\t4242\t4242\t4242\t4242\n'
                  'Gid:\t4242\t4242\t4242\t4242\nGroups:\t4242 \n')
        self.file('sys/devices/system/cpu/online', f'0-{threads - 1}\n')

    def pci(self, address, number, vendor, device, revision=0, driver=None):
        folder = f'sys/bus/pci/devices/{address}'
        for name, value in {'class': f'0x{number:06x}', 'vendor': f'0x{vendor:04x}',
                            'device': f'0x{device:04x}', 'revision': f'0x{revision:02x}'}.items():
            self.file(f'{folder}/{name}', value + '\n')
        if driver:
            self.link(f'{folder}/driver', f'../../../bus/pci/drivers/{driver}')
            self.link(f'sys/bus/pci/drivers/{driver}/{address}', f'../../devices/{address}')
        return folder


def bare(tree):
    """Nothing but a processor, of a kind that nobody has heard of, on nobody's system."""
    tree.file('etc/os-release', 'ID=gizmo\n')


def intel(tree, release=UBUNTU, kernel='6.8.0-60-generic', driver='i915', mode=0o660):
    """A Core Ultra 9 185H with Intel's packages, whose user is not in the group of the GPU."""
    tree.system(release, kernel, 'Intel(R) Core(TM) Ultra 9 185H', 22)
    tree.file('sys/class/powercap/intel-rapl:0/name', 'package-0\n')
    tree.file('sys/class/powercap/intel-rapl:0/energy_uj', '5000000\n', 0o400)
    tree.file('sys/class/hwmon/hwmon5/name', 'coretemp\n')
    tree.file('sys/class/hwmon/hwmon5/temp1_label', 'Package id 0\n')
    tree.file('sys/class/hwmon/hwmon5/temp1_input', '61500\n')
    tree.file('sys/class/hwmon/hwmon5/temp1_crit', '110000\n')
    folder = tree.pci('0000:00:02.0', 0x030000, 0x8086, 0x7d55, 8, driver)
    if driver:
        tree.file(f'{folder}/drm/card1/dev', '226:1\n')
        tree.file(f'{folder}/drm/renderD128/dev', '226:128\n')
        tree.file('sys/class/drm/card1/gt/gt0/rps_act_freq_mhz', '1850\n')
        tree.file('sys/class/drm/card1/gt/gt0/rps_max_freq_mhz', '2350\n')
        tree.file('dev/dri/renderD128', mode=mode)
        group = (tree.folder / 'dev/dri/renderD128').stat().st_gid
        tree.file('etc/group', f'video:x:44:\nrender:x:{group}:\n')
    tree.library('libOpenCL.so.1', '1.0.0')
    tree.library('libze_loader.so.1', '1.16.1')
    tree.library('libze_intel_gpu.so.1', '1.3.27642.40')
    tree.file('etc/OpenCL/vendors/intel.icd', 'libigdrcl.so\n')
    tree.pci('0000:00:0b.0', 0x120000, 0x8086, 0x7d1d, 4, 'intel_vpu')


def intel_old(tree):
    """The same with Debian 12's packages and kernel, of the time before it."""
    intel(tree, DEBIAN, '6.1.0-30-amd64', None)
    for name in ('libze_intel_gpu.so.1.3.27642.40', 'libze_intel_gpu.so.1'):
        (tree.folder / LIBRARIES / name).unlink()
    tree.library('libze_intel_gpu.so.1', '1.3.24595')


def amd(tree, release=FEDORA, kernel='6.15.4-200.fc42.x86_64', npu='amdxdna', mode=0o666):
    """A Ryzen 9 8945HS with Mesa's OpenCL."""
    tree.system(release, kernel, 'AMD Ryzen 9 8945HS w/ Radeon 780M Graphics', 16)
    gpu = tree.pci('0000:c4:00.0', 0x030000, 0x1002, 0x1900, 0xc6, 'amdgpu')
    tree.file(f'{gpu}/drm/card0/dev', '226:0\n')
    tree.file(f'{gpu}/drm/renderD128/dev', '226:128\n')
    tree.file(f'{gpu}/gpu_busy_percent', '42\n')
    tree.file(f'{gpu}/mem_info_vram_total', '536870912\n')
    tree.file(f'{gpu}/mem_info_vram_used', '134217728\n')
    tree.file(f'{gpu}/hwmon/hwmon4/power1_average', '11005000\n')
    tree.file(f'{gpu}/hwmon/hwmon4/temp1_input', '49000\n')
    tree.file('dev/dri/renderD128', mode=0o666)
    folder = tree.pci('0000:c5:00.1', 0x118000, 0x1022, 0x1502, 0, npu)
    if npu:
        tree.file(f'{folder}/accel/accel0/dev', '261:0\n')
        tree.file(f'{folder}/fw_version', '1.5.5.391\n')
        tree.file(f'{folder}/hwmon/hwmon6/power1_input', '730000\n')
        tree.file('dev/accel/accel0', mode=mode)
    tree.library('libOpenCL.so.1', '1.0.0', 'usr/lib64')
    tree.file('etc/OpenCL/vendors/rusticl.icd', 'libRusticlOpenCL.so.1\n')


def amd_old_kernel(tree):
    """The same before the kernel had the NPU's driver, with nothing of XRT."""
    amd(tree, MINT, '6.8.0-60-generic', None)


def xrt_old(tree):
    """The same with the XRT of Debian and Ubuntu 24.04, and a node that may not be used."""
    amd(tree, UBUNTU, '6.14.0-24-generic', mode=0o600)
    tree.library('libxrt_coreutil.so.2', '2.13.0')


def xrt_without_plugin(tree):
    """The same with an XRT that could, and without what speaks to the NPU."""
    amd(tree, ARCH, '6.16.1-arch1-1')
    tree.library('libxrt_coreutil.so.2', '2.21.0', 'usr/lib')
    tree.file('opt/xilinx/xrt/bin/xrt-smi')


TREES = {f.__name__: f for f in (bare, intel, intel_old, amd, amd_old_kernel, xrt_old,
                                 xrt_without_plugin)}

if __name__ == '__main__':
    TREES[sys.argv[1]](Tree(sys.argv[2]))
