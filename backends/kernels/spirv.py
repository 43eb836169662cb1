# SPDX-License-Identifier: Apache-2.0
"""Kernels compiled to SPIR-V, as a table in C (spirv_table.h) for het__spirv_find().

    spirv.py --clang CLANG --translator LLVM-SPIRV [--validator SPIRV-VAL] [--jobs N]
             VARIANTS.txt FOLDER KEPT OUTPUT.c

FOLDER has the kernel files. KEPT is a folder in which every module is kept under a name that stands
for everything it was made from, and is taken from there the next time; KEPT/index.txt lists them:
file, options, what the device must have, name, names of its constants. Same input, same output.
HETINFER_SPIRV_KEPT may name one more folder of that kind, which builds share.
"""
import argparse
import concurrent.futures
import hashlib
import itertools
import os
import pathlib
import re
import struct
import subprocess
import sys

import embed

COMMON = ['-x', 'cl', '-target', 'spir64', '-cl-std=CL1.2', '-O1', '-Xclang',
          '-disable-llvm-passes', '-Werror', '-Wno-unused-function', '-emit-llvm', '-c', '-o', '-',
          '-']
# What a device must have (bits of het__spirv_module.needs), with the compiler's options.
NEEDS = {'plain': 0, 'subgroup': 1, 'fp16': 2, 'dp4a': 4, 'dp4a_subgroup': 5,
         'xmx': 12}
TARGETS = {
    'plain': ['-DHET_FP16=0', '-DHET_SUBGROUP=0'],
    'subgroup': ['-DHET_FP16=0', '-DHET_SUBGROUP=16', '-Dcl_intel_required_subgroup_size'],
    'fp16': ['-DHET_FP16=1', '-DHET_SUBGROUP=0'],
    'dp4a': ['-DHET_FP16=0', '-DHET_SUBGROUP=0', '-DHET_DOT=1'],
    'dp4a_subgroup': ['-DHET_FP16=0', '-DHET_SUBGROUP=16', '-Dcl_intel_required_subgroup_size',
                      '-DHET_DOT=1'],
    'xmx': ['-DHET_FP16=0', '-DHET_SUBGROUP=0', '-Dcl_intel_required_subgroup_size', '-DHET_DOT=1',
            '-DHET_XMX=1'],
}
MOST = 0x7fffffff

# Of SPIR-V: instructions for readers only; one that decorates, with the decoration SpecId.
OP_DEBUG = {2, 3, 4, 5, 6, 7, 8, 330}
OP_DECORATE, SPEC_ID = 71, 1


class Option:
    """One word of a line: a name and its values, or a constant."""

    def __init__(self, names, values=None, most=None, words=()):
        self.names, self.values, self.most, self.words = names, values, most, list(words)

    def is_constant(self):
        return self.values is None


class Line:
    """A family of modules: a file, options that pick one, constants by their number, targets."""

    def __init__(self, file, options, targets):
        self.file, self.targets = file, targets or ['plain']
        self.shapes = [o for o in options if not o.is_constant()]
        self.constants = [o for o in options if o.is_constant()]

    def shape_names(self):
        return sorted(name for o in self.shapes for name in o.names)

    def choices(self):
        """Sets of options that pick a module: (name, value) by name."""
        for values in itertools.product(*(o.values for o in self.shapes)):
            pairs = [(name, value) for o, value in zip(self.shapes, values) for name in o.names]
            yield sorted(pairs)


def option_of(word):
    name, mark, rest = re.fullmatch(r'([A-Z][A-Z0-9_=]*?)(?:([=?])([^=]*))?', word).groups()
    if mark == '=':
        return Option(name.split('='), rest.split(','))
    if mark is None:
        return Option([name], ['1'])
    if rest.startswith('..'):
        return Option([name], most=int(rest[2:]))
    words = rest.split(',') if rest else []
    return Option([name], most=len(words) - 1 if words else MOST, words=words)


def read_lines(path):
    text = re.sub(r'\n[ \t]+(?=\S)', lambda m: '\0', path.read_text(encoding='utf-8'))
    lets, lines = {}, []
    for row in text.split('\n'):
        # What goes on behind a comma is one word.
        words = row.split('#')[0].replace(',\0', ',').replace('\0', ' ').split()
        if not words:
            continue
        words = [w for word in words for w in (lets[word[1:]] if word[0] == '$' else [word])]
        if words[0] == 'let':
            lets[words[1]] = words[2:]
            continue
        targets = [w[1:] for w in words if w[0] == '@']
        lines.append(Line(words[0], [option_of(w) for w in words[1:] if w[0] != '@'], targets))
    return lines


def source_of(folder, line):
    """The text that the compiler gets for all modules of a line, with its constants."""
    text = []
    if line.constants:
        text.append('int __attribute__((overloadable)) __spirv_SpecConstant(int, int);')
    for number, option in enumerate(line.constants):
        name = option.names[0]
        text.append(f'static int het_constant_{number}(void)\n{{\n'
                    f'    return __spirv_SpecConstant({number}, 0);\n}}\n'
                    f'#define {name} het_constant_{number}()')
        if option.words:
            cases = ' '.join(f'X({i}, {word})' for i, word in enumerate(option.words))
            text.append(f'#define {name}_NAMES(X) {cases}')
        elif option.most != MOST:
            text.append(f'#define {name}_MOST {option.most}')
    seen = set()
    for stem in ('common', line.file):
        text += embed.expand(folder, stem + '.cl', seen)
    return '\n'.join(text) + '\n'


def stripped(module):
    """Without names, and the numbers of its specialisation constants."""
    words = struct.unpack(f'<{len(module) // 4}I', module)
    if words[0] != 0x07230203 or words[1] > 0x00010200:
        raise ValueError('not a module of SPIR-V up to 1.2')
    kept, at, constants = list(words[:5]), 5, set()
    while at < len(words):
        op, count = words[at] & 0xffff, words[at] >> 16
        if op == OP_DECORATE and words[at + 2] == SPEC_ID:
            constants.add(words[at + 3])
        if op not in OP_DEBUG:
            kept += words[at:at + count]
        at += count
    return struct.pack(f'<{len(kept)}I', *kept), sorted(constants)


def write_whole(path, data):
    """Others that write or read the file never see a part of it."""
    part = path.with_suffix(f'.{os.getpid()}')
    part.write_bytes(data)
    part.rename(path)


class Compiler:
    def __init__(self, arguments):
        self.arguments, self.kept = arguments, pathlib.Path(arguments.kept)
        self.shared = pathlib.Path(os.environ.get('HETINFER_SPIRV_KEPT') or arguments.kept)
        for folder in (self.kept, self.shared):
            folder.mkdir(parents=True, exist_ok=True)
        versions = [subprocess.run([tool, '--version'], check=True, stdout=subprocess.PIPE).stdout
                    for tool in (arguments.clang, arguments.translator)]
        self.base = repr((versions, COMMON, TARGETS, pathlib.Path(__file__).read_text()))

    def command(self, pairs, target):
        defines = [f'-D{name}={value}' for name, value in pairs]
        return [self.arguments.clang, *TARGETS[target], '-DHET_CPU=0', *defines, *COMMON]

    def translate(self, text, pairs, target):
        code = subprocess.run(self.command(pairs, target), input=text.encode(), check=True,
                              stdout=subprocess.PIPE).stdout
        translate = [self.arguments.translator, '--spirv-max-version=1.2', '--spirv-mem2reg',
                     '-o', '-', '-']
        return subprocess.run(translate, input=code, check=True, stdout=subprocess.PIPE).stdout

    def module(self, text, pairs, target):
        """(name of the kept file, module, its constants)"""
        key = hashlib.sha256(repr((self.base, text, pairs, target)).encode()).hexdigest()[:24]
        path, shared = self.kept / (key + '.spv'), self.shared / (key + '.spv')
        if not path.exists() and shared.exists():
            write_whole(path, shared.read_bytes())
        if not path.exists():
            module = stripped(self.translate(text, pairs, target))[0]
            self.validate(module, path)
            for target_path in {path, shared}:
                write_whole(target_path, module)
        module = path.read_bytes()
        return path.name, module, stripped(module)[1]

    def validate(self, module, path):
        if self.arguments.validator:
            part = path.with_suffix('.part')
            part.write_bytes(module)
            subprocess.run([self.arguments.validator, '--target-env', 'spv1.2', str(part)],
                           check=True)
            part.unlink()


def key_of(line, pairs):
    return ' '.join([line.file] + [f'{name}={value}' for name, value in pairs])


def make_all(compiler, lines, folder, jobs):
    """Per module: key, needs, number of the line, constants, file, bytes; in the table's order."""
    work, texts = [], [source_of(folder, line) for line in lines]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for number, line in enumerate(lines):
            for pairs, target in itertools.product(line.choices(), line.targets):
                job = pool.submit(compiler.module, texts[number], pairs, target)
                work.append((key_of(line, pairs), NEEDS[target], number, job))
        try:
            made = [(key, needs, number, *job.result()) for key, needs, number, job in work]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    made.sort(key=lambda m: (m[0], -m[1]))
    for a, b in zip(made, made[1:]):
        if a[:2] == b[:2]:
            raise ValueError(f'{a[0]}: listed twice')
    return made


def text_of(s):
    return '"' + s.replace('\\', '\\\\').replace('"', '\\"') + '"'


def table(lines, made):
    out = ['/* Made by spirv.py from the files of backends/kernels. */',
           '#include "backends/kernels/spirv_table.h"\n', '#include <stddef.h>\n']
    words, places = [], {}
    for *_, module in ((m[3], m[4]) for m in made):
        if module not in places:
            places[module] = len(words)
            words += struct.unpack(f'<{len(module) // 4}I', module)
    rows = [','.join(f'{w:#x}' for w in words[i:i + 12]) for i in range(0, len(words), 12)]
    out += ['static const uint32_t words[] = {', ',\n'.join(rows), '};\n']
    for i, line in enumerate(lines):
        options = [f'    {{ {text_of(name)}, NULL, -1, 0 }},' for name in line.shape_names()]
        for number, o in enumerate(line.constants):
            choice = text_of(','.join(o.words)) if o.words else 'NULL'
            options.append(f'    {{ {text_of(o.names[0])}, {choice}, {number}, {o.most} }},')
        if options:
            out += [f'static const het__spirv_option options_{i}[] = {{', *options, '};']
    out.append('const het__spirv_line het__spirv_lines[] = {')
    for i, line in enumerate(lines):
        count = len(line.shape_names()) + len(line.constants)
        options = f'options_{i}' if count else 'NULL'
        out.append(f'    {{ {text_of(line.file)}, {options}, {count} }},')
    out += ['};', f'const uint32_t het__spirv_line_count = {len(lines)};\n',
            'const het__spirv_module het__spirv_modules[] = {']
    for key, needs, number, _, module, constants in made:
        mask = sum(1 << c for c in constants)
        out.append(f'    {{ {text_of(key)}, words + {places[module]}, {len(module)}, {number}, '
                   f'{mask:#x}, {needs} }},')
    out += ['};', f'const uint32_t het__spirv_module_count = {len(made)};']
    return '\n'.join(out) + '\n', 4 * len(words)


def index(lines, made):
    rows = []
    for key, needs, number, name, _, constants in made:
        file, *options = key.split(' ')
        names = ' '.join(f'{c}:{lines[number].constants[c].names[0]}' for c in constants)
        target = next(t for t, bits in NEEDS.items() if bits == needs)
        rows.append('\t'.join([file, ' '.join(options), target, name, names]))
    return '\n'.join(rows) + '\n'


def main():
    parser = argparse.ArgumentParser()
    for name in ('--clang', '--translator'):
        parser.add_argument(name, required=True)
    parser.add_argument('--validator')
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    for name in ('variants', 'folder', 'kept', 'output'):
        parser.add_argument(name)
    arguments = parser.parse_args()
    lines = read_lines(pathlib.Path(arguments.variants))
    compiler = Compiler(arguments)
    made = make_all(compiler, lines, pathlib.Path(arguments.folder), arguments.jobs)
    text, size = table(lines, made)
    used = {m[3] for m in made}
    for path in compiler.kept.glob('*.spv'):
        if path.name not in used:
            path.unlink()
    (compiler.kept / 'index.txt').write_text(index(lines, made), encoding='utf-8')
    pathlib.Path(arguments.output).write_text(text, encoding='utf-8')
    print(f'{len(made)} modules, {size} bytes')


if __name__ == '__main__':
    sys.exit(main())
