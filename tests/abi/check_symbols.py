# SPDX-License-Identifier: Apache-2.0
"""The four lists of public functions agree, and the objects import nothing they must not.

    check_symbols.py ROOT SHARED_LIBRARY STATIC_LIBRARY MODULE…     compare
    check_symbols.py --write ROOT                    rewrite docs/ABI.md and the map

A module, that is a backend in a file of its own, exports one name.

Lists: HET_API declarations in include/, lib/link/hetinfer.map, docs/ABI.md, and what the shared
library exports. A function keeps the release of its @since for ever; the map's node is named after
it, so a function that moves between nodes is found as a difference.
"""
import collections
import pathlib
import re
import subprocess
import sys

import headers

# Objects that may take memory from the C library, and why.
ALLOCATORS = {
    'base_mem.c.o': 'the one door: het__alloc()',
}
ALLOCATION = {'malloc', 'calloc', 'realloc', 'reallocarray', 'free', 'posix_memalign',
              'aligned_alloc', 'memalign', 'valloc', 'strdup', 'strndup', 'asprintf', 'vasprintf',
              'getline', 'getdelim', 'open_memstream', 'realpath', 'scandir'}
# What a library must leave to its host: see "process effects" in hetinfer.h.
FORBIDDEN = {'exit', '_exit', 'quick_exit', 'atexit', 'printf', 'vprintf', 'puts', 'putchar',
             'stdout', 'signal', 'sigaction', 'sigprocmask', 'setlocale', 'uselocale', 'fork',
             'vfork', 'system', 'popen', 'execve', 'execvp', 'socket', 'connect', 'listen',
             'srand', 'rand', 'setenv', 'putenv', 'chdir', 'umask', 'strtok', 'gmtime',
             'localtime'}
# Symbols that only some objects may import, and why.
RESTRICTED = {
    'getenv': {'base_os.c.o'},         # the environment is read in one place
    'secure_getenv': {'base_os.c.o'},
    'dlopen': {'base_os.c.o'},         # modules are opened in one place
    'stderr': {'api_context.c.o'},     # HETINFER_LOG without a callback
}


def map_nodes(root):
    """{function: node} of the linker's version script."""
    text = (pathlib.Path(root) / 'lib/link/hetinfer.map').read_text(encoding='utf-8')
    nodes = {}
    for node, body in re.findall(r'(HETINFER_\w[\w.]*)\s*\{(.*?)\}', text, re.S):
        for name in re.findall(r'\b(het_\w+);', body):
            nodes[name] = node
    return nodes


def introduced(declared):
    """{function: release} from the @since lines."""
    since = {}
    for name, _, comment in declared:
        match = re.search(r'@since (\d+\.\d+)', comment)
        since[name] = match[1] if match else None
    return since


def abi_rows(root):
    """{function: (introduced, deprecated, removed)} as docs/ABI.md says."""
    text = (pathlib.Path(root) / 'docs/ABI.md').read_text(encoding='utf-8')
    rows = re.findall(r'^\| `(het_\w+)` \| (\d+\.\d+) \| *([\d.]*) *\| *([\d.]*) *\|', text, re.M)
    return {name: columns for name, *columns in rows}


def abi_table(root):
    return {name: columns[0] for name, columns in abi_rows(root).items() if not columns[2]}


def nm(arguments):
    return subprocess.run(['nm'] + arguments, capture_output=True, text=True, check=True).stdout


def exported(library):
    names = set()
    for line in nm(['-D', '--defined-only', library]).splitlines():
        fields = line.split()
        if fields[1] != 'A':    # the version nodes themselves
            names.add(fields[2].split('@')[0])
    return names


def archive(library):
    """Globals and imports per object: ({object: {global}}, {object: {import}})."""
    defined, imported = collections.defaultdict(set), collections.defaultdict(set)
    for line in nm(['-A', '-g', library]).splitlines():
        match = re.match(r'(.*):\s*(?:[0-9a-f]+)?\s*([A-Za-z]) (\S+)$', line)
        if match:
            # meson names an object by its path from the folder that builds it: ".._base_mem.c.o".
            name = re.sub(r'^(\.\._)+', '', match[1].split(':')[-1].split('/')[-1])
            (imported if match[2] in 'Uw' else defined)[name].add(match[3])
    return defined, imported


def compare(problems, left, right, what):
    for name in sorted(set(left) - set(right)):
        problems.append(f'{name}: {what[0]}, but {what[1]}')


def check_lists(root, library, problems):
    declared = headers.functions(root)
    since = introduced(declared)
    nodes, table, symbols = map_nodes(root), abi_table(root), exported(library)
    names = [name for name, _, _ in declared]
    problems += [f'{name}: declared twice' for name in set(names) if names.count(name) > 1]
    for name, header, comment in declared:
        if not comment:
            problems.append(f'{name}: no doc comment in {header}')
        elif not since[name]:
            problems.append(f'{name}: no @since in {header}')
        elif nodes.get(name) not in (None, f'HETINFER_{since[name]}'):
            problems.append(f'{name}: @since {since[name]}, but node {nodes[name]}')
        elif table.get(name) not in (None, since[name]):
            problems.append(f'{name}: @since {since[name]}, but {table[name]} in docs/ABI.md')
    compare(problems, names, nodes, ('declared', 'not in hetinfer.map'))
    compare(problems, nodes, names, ('in hetinfer.map', 'not declared'))
    compare(problems, names, table, ('declared', 'not in docs/ABI.md (check_symbols.py --write)'))
    compare(problems, table, names, ('in docs/ABI.md', 'not declared'))
    compare(problems, names, symbols, ('declared', 'not exported by the shared library'))
    compare(problems, symbols, names, ('exported by the shared library', 'not declared'))
    return len(names)


def check_objects(library, problems):
    defined, imported = archive(library)
    for name, symbols in sorted(defined.items()):
        problems += [f'{name}: global {s} does not begin with het_' for s in sorted(symbols)
                     if not s.startswith(('het_', '__odr_asan', '__asan', '__ubsan', '__llvm',
                                          '__prof', '__gcov', '__covrec', '__start_', '__stop_'))]
    for name, symbols in sorted(imported.items()):
        if name not in ALLOCATORS:
            problems += [f'{name}: imports {s}, which only mem.c may'
                         for s in sorted(symbols & ALLOCATION)]
        problems += [f'{name}: imports {s}, which a library must not' for s in
                     sorted(symbols & FORBIDDEN)]
        problems += [f'{name}: imports {s}, which is for {", ".join(sorted(allowed))}'
                     for s, allowed in RESTRICTED.items() if s in symbols and name not in allowed]
    if not defined:
        problems.append(f'{library}: no objects seen')
    return len(set(defined) | set(imported))


def write(root):
    since = introduced(headers.functions(root))
    path = pathlib.Path(root) / 'docs/ABI.md'
    text = path.read_text(encoding='utf-8')
    # What the headers do not say is kept: deprecations, and functions that are gone.
    known = abi_rows(root)
    table = {name: [since[name]] + known.get(name, ['', '', ''])[1:] for name in since}
    table.update({name: row for name, row in known.items() if name not in table and row[2]})
    rows = ''.join('| `{}` | {} |\n'.format(name, ' | '.join(table[name])).replace('|  ', '| ')
                   for name in sorted(table))
    head = '| symbol | introduced | deprecated | removed |\n|---|---|---|---|\n'
    before = text.split(head)[0]
    path.write_text(before + head + rows, encoding='utf-8')
    releases = sorted(set(since.values()), key=lambda r: [int(n) for n in r.split('.')])
    nodes, parent = [], ''
    for release in releases:
        names = ''.join(f'        {n};\n' for n in sorted(since) if since[n] == release)
        hide = '' if parent else '    local:\n        *;\n'
        nodes.append(f'HETINFER_{release} {{\n    global:\n{names}{hide}}}{parent};\n')
        parent = f' HETINFER_{release}'
    (pathlib.Path(root) / 'lib/link/hetinfer.map').write_text('\n'.join(nodes), encoding='utf-8')


def main(arguments):
    if arguments[0] == '--write':
        write(arguments[1])
        return 0
    root, shared, static, *modules = arguments
    problems = []
    for module in modules:
        names = exported(module)
        if names not in ({'het__backend_module'}, {'het__xrt_module'}):
            problems.append(f'{module}: exports {", ".join(sorted(names))}')
    functions = check_lists(root, shared, problems)
    objects = check_objects(static, problems)
    for line in problems:
        print(line)
    print(f'{functions} functions, {objects} objects, {len(problems)} problems')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
