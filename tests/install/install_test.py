# SPDX-License-Identifier: Apache-2.0
"""Install, then do what a stranger would do: find the library by pkg-config, build hello.c, run it.

    install_test.py ROOT BUILD COMPILER…

Exit status 77, with the reason, where the embedded model or the tools are absent.
"""
import os
import shutil
import sys
import tempfile

from installed import Installed, model_of, run, skip

WARNINGS = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror']


def check_files(tree):
    wanted = [tree.path('include/hetinfer.h'), tree.path('include/hetinfer/base.h'),
              tree.library('libhetinfer.so'), tree.library('libhetinfer.a'),
              tree.library('pkgconfig/hetinfer.pc')]
    missing = [path for path in wanted if not os.path.exists(path)]
    if missing:
        print('not installed:', ', '.join(missing))
        sys.exit(1)
    # Backends of vendors' libraries are files of their own; the library needs none to start.
    print('modules:', ', '.join(tree.modules()) or 'none')
    dynamic = run(['readelf', '-d', tree.library('libhetinfer.so')])
    if 'libOpenCL' in dynamic or 'libze_loader' in dynamic:
        print('the library needs a vendor\'s library to start')
        sys.exit(1)
    if 'RUNPATH' in dynamic or 'RPATH' in dynamic:
        print('the library looks for others where it was built')
        sys.exit(1)


def check_program(program, model, env):
    text = run([program, model, 'Once upon a time'], env=env)
    if not text.strip():
        print('hello printed nothing')
        sys.exit(1)
    print(f'hello: {text.strip()[:200]}')
    if shutil.which('valgrind'):
        run(['valgrind', '--error-exitcode=9', '--leak-check=full', '--quiet', program, model,
             'Once'], env=env)
        print('valgrind: clean')


def main(root, build, compiler):
    for tool in ('meson', 'pkg-config'):
        if not shutil.which(tool):
            skip(f'{tool} is not installed')
    model = model_of(root)
    with tempfile.TemporaryDirectory() as folder:
        tree = Installed(build, os.path.join(folder, 'tree'))
        check_files(tree)
        env = dict(os.environ, PKG_CONFIG_PATH=tree.library('pkgconfig'),
                   PKG_CONFIG_SYSROOT_DIR=tree.root, LD_LIBRARY_PATH=tree.library(), LC_ALL='C')
        # As a stranger would: nothing of the source tree on the include path.
        flags = run(['pkg-config', '--cflags', '--libs', 'hetinfer'], env=env).split()
        source = shutil.copy(os.path.join(root, 'examples/hello.c'), folder)
        program = os.path.join(folder, 'hello')
        run(compiler + WARNINGS + [source, '-o', program] + flags, env=env)
        static = run(['pkg-config', '--cflags', '--libs', '--static', 'hetinfer'], env=env).split()
        run(compiler + WARNINGS + [source, '-o', program + '-static'] + static, env=env)
        if not model:
            skip('installed, compiled and linked; no model under examples/models')
        check_program(program, model, env)


if __name__ == '__main__':
    main(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:])
