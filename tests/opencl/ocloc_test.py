# SPDX-License-Identifier: Apache-2.0
"""Intel's own compiler takes every module of SPIR-V, and finds registers for it.

    ocloc_test.py SOURCE KEPT

KEPT is the folder of modules that backends/kernels/spirv.py left. ocloc (Debian: intel-opencl-icd)
compiles them for GPUs that need not be there; nothing is executed. Constants are as in
kernel_options.txt where a set there has the module. A quarter of the modules is compiled for one
device each, all for all with HETINFER_TEST_LONG=1. Printed per file: kernels, least width, bytes of
memory that a thread needs because registers did not do, of code. Limits on the bytes are below.
Products in 8 bits must have come to the instruction that they are made for.
"""
import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

DEVICES = ['tgllp', 'adlp', 'acm-g10', 'skl']
WITHOUT_DP4A = {'skl'}
# Bytes of a thread that may lie in memory instead of registers, per file and kernel: none, but for
# some tiles of convolutions and products of few rows, as ocloc 22.43 has them.
LIMITS = {'conv': {'conv_tile': 8192}, 'dot': {'dot_vec': 1024}, 'matvec': {'matvec': 1024}}
# Constants of modules that no set of the list has.
USUAL = {'IN_BLOCK': 8, 'OUT_BLOCK': 8, 'BLOCK': 8, 'SIZE': 128, 'ROTATED': 128, 'EXPERTS': 64,
         'USED': 8, 'RANK': 4, 'ROW_ITEMS': 64, 'STREAMS': 4}
OP_DECORATE, OP_SPEC_CONSTANT, SPEC_ID = 71, 50, 1

Module = collections.namedtuple('Module', 'file options target name constants')
Kernel = collections.namedtuple('Kernel', 'name width registers memory local')


def typical_sets(source, spirv):
    """{(file, options that pick the module): {constant: value}}"""
    lines = spirv.read_lines(source / 'backends/kernels/variants.txt')
    owners = {spirv.key_of(line, pairs): line for line in lines for pairs in line.choices()}
    sets = {}
    for row in (source / 'tests/opencl/kernel_options.txt').read_text().splitlines():
        if not row or row[0] == '#':
            continue
        file, *words = row.split()
        given = dict(w.split('=', 1) if '=' in w else (w, '1') for w in words)
        for line in lines:
            shapes = line.shape_names()
            if line.file != file or not set(shapes) <= set(given):
                continue
            key = spirv.key_of(line, [(name, given[name]) for name in shapes])
            if owners.get(key) == line:
                sets[file, key[len(file) + 1:]] = {
                    o.names[0]: o.words.index(given[o.names[0]]) if o.words
                    else int(given[o.names[0]]) for o in line.constants if o.names[0] in given}
    return sets


def read_modules(kept):
    for row in (kept / 'index.txt').read_text().splitlines():
        file, options, target, name, constants = row.split('\t')
        numbers = (c.split(':') for c in constants.split())
        yield Module(file, options, target, name, {int(n): word for n, word in numbers})


def specialised(module, values):
    """The module with other defaults of its constants: {number: value}"""
    words = list(struct.unpack(f'<{len(module) // 4}I', module))
    at, numbers = 5, {}
    while at < len(words):
        op, count = words[at] & 0xffff, words[at] >> 16
        if op == OP_DECORATE and words[at + 2] == SPEC_ID:
            numbers[words[at + 1]] = words[at + 3]
        elif op == OP_SPEC_CONSTANT:
            words[at + 3] = values.get(numbers[words[at + 2]], 0)
        at += count
    return struct.pack(f'<{len(words)}I', *words)


def kernels_of(binary):
    """What the compiler says of the kernels in a file in Intel's own format."""
    start = binary.find(b'kernels:\n  - name:')
    text = binary[start:binary.index(b'\0', start)].decode()
    text = text[:text.find('kernels_misc_info:')] if 'kernels_misc_info:' in text else text
    for part in text.split('\n  - name: ')[1:]:
        def number(name, part=part):
            match = re.search(rf'\b{name}: +(\d+)', part)
            return int(match[1]) if match else 0
        buffers = part.split('per_thread_memory_buffers:')[1:]
        memory = sum(int(n) for b in buffers for n in re.findall(r'\bsize: +(\d+)', b))
        yield Kernel(part.split()[0], number('simd_size'), number('grf_count'), memory,
                     number('slm_size'))


def compile_one(kept, module, values, device):
    """(kernels, bytes of code), or the compiler's words"""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        numbers = {n: values.get(name, 0) for n, name in module.constants.items()}
        (path / 'm.spv').write_bytes(specialised((kept / module.name).read_bytes(), numbers))
        done = subprocess.run(['ocloc', 'compile', '-spirv_input', '-file', 'm.spv', '-device',
                               device, '-out_dir', 'out', '--format', 'zebin'], cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        files = list((path / 'out').glob('*.bin')) if (path / 'out').is_dir() else []
        if done.returncode != 0 or len(files) != 1:
            return done.stdout.decode(errors='replace').strip()
        binary = files[0].read_bytes()
        kernels = [k for k in kernels_of(binary) if not k.name.startswith('Intel_Symbol_Table')]
        return (kernels, len(binary)) if kernels else 'no kernels'


def plan(modules):
    """(module, device): all, or a quarter of the modules on devices that take turns"""
    if os.environ.get('HETINFER_TEST_LONG') == '1':
        pairs = [(m, device) for m in modules for device in DEVICES]
    else:
        pairs = [(m, DEVICES[i % len(DEVICES)]) for i, m in enumerate(modules[::4])]
    return [(m, 'acm-g10' if m.target == 'xmx' else d) for m, d in pairs
            if 'dp4a' not in m.target or d not in WITHOUT_DP4A]


def disassembled(kept, module, device):
    """Instructions of a module, or None where there is no disassembler. ocloc looks for it under a
    name that Debian's package does not have."""
    known = subprocess.run(['/sbin/ldconfig', '-p'], stdout=subprocess.PIPE, check=False).stdout
    library = re.search(r'=> (\S*libiga64\.so\.1)\s', known.decode())
    if not library:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / 'libiga64.so').symlink_to(library[1])
        (path / 'm.spv').write_bytes((kept / module.name).read_bytes())
        environment = dict(os.environ, LD_LIBRARY_PATH=folder)
        subprocess.run(['ocloc', 'compile', '-spirv_input', '-file', 'm.spv', '-device', device,
                        '-out_dir', 'out'], cwd=folder, stdout=subprocess.DEVNULL, check=True)
        binary = next((path / 'out').glob('*.bin'))
        subprocess.run(['ocloc', 'disasm', '-file', str(binary), '-device', device, '-dump',
                        'code'], cwd=folder, env=environment, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True)
        return '\n'.join(p.read_text() for p in (path / 'code').glob('*.asm')) or None


def check_instructions(kept, modules):
    """One module of each kind that uses DP4a or matrices; returns how many do not come to it."""
    missing, seen = 0, set()
    for module in modules:
        kind = (module.target, 'KIND=2' in module.options)
        name = 'dpas' if module.target == 'xmx' else 'dp4a'
        if module.target not in ('xmx', 'dp4a', 'dp4a_subgroup') or kind in seen:
            continue
        seen.add(kind)
        for device in ('tgllp', 'acm-g10')[module.target == 'xmx':]:
            code = disassembled(kept, module, device)
            if code is None:
                print('instructions: not looked at, there is no disassembler')
                return missing
            count = len(re.findall(rf'\b{name}\b', code))
            print(f'{module.file} {module.options[:40]} {module.target} {device}: {count} {name}')
            missing += count == 0
    return missing


def report(results):
    """Prints a row per file and device; returns how many kernels are beyond their limit."""
    rows, beyond = collections.defaultdict(list), 0
    for module, device, (kernels, size) in results:
        for k in kernels:
            rows[module.file, device].append((k, size))
            limit = LIMITS.get(module.file, {}).get(k.name, 0)
            if k.memory > limit:
                beyond += 1
                print(f'{module.file} {module.options} {module.target} on {device}: {k.name} needs '
                      f'{k.memory} bytes of memory, at most {limit} are allowed')
    print(f'{"file":15} {"device":8} {"kernels":>7} {"in memory":>9} {"bytes":>6} {"width":>6} '
          f'{"registers":>9} {"local":>6} {"binary":>7}')
    for (file, device), kernels in sorted(rows.items()):
        print(f'{file:15} {device:8} {len(kernels):7} {sum(k.memory > 0 for k, _ in kernels):9} '
              f'{max(k.memory for k, _ in kernels):6} {min(k.width for k, _ in kernels):6} '
              f'{max(k.registers for k, _ in kernels):9} {max(k.local for k, _ in kernels):6} '
              f'{max(size for _, size in kernels):7}')
    return beyond


def main(source, kept):
    if not shutil.which('ocloc'):
        print('skipped: no ocloc; Debian has it in intel-opencl-icd')
        return 77
    sys.path.insert(0, str(source / 'backends/kernels'))
    import spirv  # pylint: disable=import-outside-toplevel
    sets = typical_sets(source, spirv)
    work, results, failed = plan(list(read_modules(kept))), [], 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [(m, d, pool.submit(compile_one, kept, m, sets.get((m.file, m.options), USUAL), d))
                for m, d in work]
        for module, device, job in jobs:
            if isinstance(job.result(), str):
                failed += 1
                print(f'{module.file} {module.options} {module.target} on {device}: {job.result()}')
            else:
                results.append((module, device, job.result()))
    beyond = report(results)
    print(f'{len(results)} of {len(work)} compiled, not executed; {beyond} kernels beyond limits')
    missing = check_instructions(kept, list(read_modules(kept)))
    return 1 if failed or beyond or missing or not results else 0


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
