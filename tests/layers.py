# SPDX-License-Identifier: Apache-2.0
"""Who may include whom.

    include/  <-  lib/  <-  backends/          examples/ see include/ only

Rooms of lib/ stand in one order, and a room includes only itself and rooms before it. Two walls are
tested through everything that a file includes, directly or not: the rooms that reason about a model
never see a backend, and the rooms of text never do.
"""
import pathlib
import re
import sys

# Each room may include the rooms before it.
ROOMS = ['base', 'quant', 'ir', 'plain', 'text', 'import', 'passes', 'machine', 'cost', 'partition',
         'exec', 'generate', 'api']
# The only places where lib/backend.h may appear in lib/.
SEES_BACKENDS = re.compile(r'lib/(exec/|api/context\.c$)')
# What a backend may include besides its own folder.
FOR_BACKENDS = re.compile(r'lib/(backend\.h$|base/|quant/|'
                          r'plain/(plain|act|call|experts|route|strided|resize)\.h$|'
                          r'ir/(graph|op|attr|tensor|tensor_ops|eval|window|move|reduce|product|'
                          r'sequence|rounding|stream|lent)\.h$)')
# The simulated device takes its speed from a machine file and its times from the cost model: both
# are what it pretends with, and no other backend may know them.
FOR_SIM = re.compile(r'lib/(machine/(machine|machine_file|profile|figures)|cost/cost|'
                     r'partition/op_support)\.h$')
# Headers of the operating system belong to one room, those of a vendor to the code that calls it.
SYSTEM = [
    (re.compile(r'(pthread|unistd|fcntl|dlfcn|sched|signal|dirent|ftw|poll|semaphore)\.h|sys/.*'),
     re.compile(r'lib/base/')),
    (re.compile(r'(pcre2|utf8proc)\.h'), re.compile(r'lib/(text|import)/')),
    (re.compile(r'jansson\.h'), re.compile(r'(lib/import|examples)/')),
    (re.compile(r'xx(hash|h3)\.h'), re.compile(r'lib/base/')),
    (re.compile(r'yaml\.h'), re.compile(r'lib/base/')),
    (re.compile(r'zstd.*\.h'), re.compile(r'lib/base/')),
    (re.compile(r'(oneapi/dnnl/)?dnnl.*\.h'), re.compile(r'backends/cpu_onednn/')),
    (re.compile(r'CL/.*|clblast.*\.h'), re.compile(r'backends/opencl_igpu/')),
    (re.compile(r'level_zero/.*'), re.compile(r'backends/intel_l0/')),
]
STANDARD_FOR_HEADERS = {'stddef.h', 'stdint.h'}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def sources(root, folder):
    return sorted(p for p in (root / folder).rglob('*')
                  if p.suffix in ('.c', '.h', '.cpp', '.hpp', '.in'))


def resolve(root, path, quote, name):
    """Path inside the tree relative to its root, or None for a header from outside."""
    places = [root, root / 'include'] if quote == '<' else [path.parent, root, root / 'include']
    for place in places:
        if (place / name).is_file():
            return (place / name).resolve().relative_to(root).as_posix()
    return None


def read_tree(root):
    """{file: [(name as written, file in the tree or None)]}"""
    tree = {}
    for folder in ('include', 'lib', 'backends', 'examples'):
        for path in sources(root, folder):
            text = path.read_text(encoding='utf-8')
            tree[path.relative_to(root).as_posix()] = [
                (name, resolve(root, path, quote, name)) for quote, name in INCLUDE.findall(text)]
    return tree


def reach(tree, start):
    """Every file of the tree that start includes, with the file that includes it."""
    seen, queue = {start: None}, [start]
    while queue:
        here = queue.pop()
        for _, target in tree.get(here, []):
            if target and target not in seen:
                seen[target] = here
                queue.append(target)
    return seen


def check_include(name, target):
    if target is None:
        return (None if name in STANDARD_FOR_HEADERS
                else 'a public header includes only stddef.h and stdint.h')
    return None if target.startswith('include/') else 'a public header includes only public headers'


def check_lib(file, target):
    if target is None or target.startswith('include/'):
        return None
    if target == 'lib/backend.h':
        if file == 'lib/backend.h' or SEES_BACKENDS.match(file):
            return None
        return 'only lib/exec and lib/api/context.c may see backends'
    if not target.startswith('lib/'):
        return 'lib/ includes nothing of ' + target.split('/')[0] + '/'
    room, other = file.split('/')[1], target.split('/')[1]
    if file == 'lib/backend.h':
        return None if other in ('base', 'ir') else 'lib/backend.h stands on base and ir'
    if room in ROOMS and other in ROOMS and ROOMS.index(other) <= ROOMS.index(room):
        return None
    return f'room {room} stands before room {other}'


def check_backend(file, target):
    if target is None or target.startswith('include/'):
        return None
    own = '/'.join(file.split('/')[:2]) + '/'
    if target.startswith(own) or FOR_BACKENDS.match(target):
        return None
    if target.startswith('backends/kernels/'):
        return None
    # What a node becomes on a GPU is the same for every driver, and the drivers' backends share it.
    if target.startswith('backends/gpu/') and not file.startswith('backends/kernels/'):
        return None
    if file.startswith('backends/sim/') and FOR_SIM.match(target):
        return None
    if target.startswith('backends/'):
        return 'a backend never includes another'
    return 'a backend includes lib/backend.h, lib/base, lib/quant and the graph'


def check_example(file, name, target):
    if target is None:
        # A name that only resolves inside the tree would not exist where the library is installed.
        return None if '/' not in name or name.startswith('sys/') else f'unknown header {name}'
    if target.startswith('include/') or target.startswith(file.rsplit('/', 1)[0] + '/'):
        return None
    return 'examples include the public header and their own'


def check_system(file, name, target):
    if target is not None or file.startswith('examples/'):
        return None
    for pattern, owner in SYSTEM:
        if pattern.fullmatch(name) and not owner.match(file):
            return f'{name} belongs to {owner.pattern}'
    return None


def check_file(file, includes):
    for name, target in includes:
        top = file.split('/')[0]
        reason = {
            'include': lambda: check_include(name, target),
            'lib': lambda: check_lib(file, target),
            'backends': lambda: check_backend(file, target),
            'examples': lambda: check_example(file, name, target),
        }[top]() or check_system(file, name, target)
        if reason:
            yield f'{file}: #include {name}: {reason}'


def check_names(tree):
    """A program beside the folder of a command would find its headers as <hetinfer/…>."""
    public = {file.removeprefix('include/') for file in tree if file.startswith('include/')}
    for file in tree:
        if file.removeprefix('examples/') in public:
            yield f'{file}: has the name of a public header'


def check_walls(tree):
    blind = re.compile(r'lib/(?!exec/|api/|backend\.h)')
    for file in tree:
        if blind.match(file):
            seen = reach(tree, file)
            if 'lib/backend.h' in seen:
                yield f'{file}: sees lib/backend.h through {seen["lib/backend.h"]}'


def main(root):
    root = pathlib.Path(root).resolve()
    tree = read_tree(root)
    problems = [line for file, includes in tree.items() for line in check_file(file, includes)]
    problems += check_names(tree)
    problems += check_walls(tree)
    for line in problems:
        print(line)
    print(f'{len(tree)} files, {sum(map(len, tree.values()))} includes, {len(problems)} problems')
    return 1 if problems or not tree else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
