# SPDX-License-Identifier: Apache-2.0
"""Commands on Hugging Face folders: the same numbers as a GGUF file give the same ids, text and
likelihood; what inspect says adds up.

    folder_test.py COMMAND ROOT

The second part uses the small model of the shared data folder, and is left out without it.
"""
import json
import os
import subprocess
import sys

TEXT = 'Once upon a time, there was a little girl named Lily.\nShe said: "héllo, 12 wörlds!"'


def run(program, *arguments, status=0):
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, timeout=300)
    assert result.returncode == status, (arguments, result.returncode, result.stderr.decode())
    return result.stdout.decode() if status == 0 else result.stderr.decode()


def inspect(program, path, *more):
    return json.loads(run(program, 'inspect', path, '--json', *more))


def families(program, root):
    folders = os.path.join(root, 'tests/models/reference/folders')
    for name in sorted(os.listdir(folders)):
        folder = os.path.join(folders, name)
        found = inspect(program, folder, '--all', '--weights')
        with open(os.path.join(folder, 'config.json'), encoding='utf-8') as f:
            config = json.load(f)
        model = found['model']
        assert model['format'] == 'safetensors', model
        assert model['layer_count'] == config['num_hidden_layers'], name
        assert sum(m['bytes'] for m in found['modules']) == model['weight_bytes'], name
        size = os.path.getsize(os.path.join(folder, 'model.safetensors'))
        assert 0 < size - model['weight_bytes'] < 40000, (name, size, model['weight_bytes'])
        keys = {m['key']: m['value'] for m in found['metadata']}
        assert keys['model_type'] == config['model_type'], name
        assert keys['hidden_size'] == str(config['hidden_size']), name
        assert any(w['name'] == 'model.embed_tokens.weight' and w['module'] == 'embedding'
                   for w in found['weights']), name
        assert not [w['name'] for w in found['weights'] if w['module'] == 'other'
                    and 'altup' not in w['name'] and 'per_layer' not in w['name']
                    and 'laurel' not in w['name']], name
    print(f'{len(os.listdir(folders))} families')


def same_as_gguf(program, data):
    gguf = os.path.join(data, 'llm/gguf/stories260K-F32.gguf')
    folder = os.path.join(data, 'llm/hf')
    prompt = 'Once upon a time'
    for path in (folder, os.path.join(folder, 'config.json'),
                 os.path.join(folder, 'model.safetensors')):
        for arguments in (['tokenize', '-p', TEXT],
                          ['run', '-p', prompt, '-n', '40', '--temp', '0'],
                          ['eval', '--ids', '1,403,407,261,378,5,300', '--json']):
            first, *rest = arguments
            ours, theirs = run(program, first, path, *rest), run(program, first, gguf, *rest)
            if first == 'eval':
                ours, theirs = (json.loads(x)['nll_per_token'] for x in (ours, theirs))
                assert abs(ours - theirs) < 1e-5, (ours, theirs)
            else:
                assert ours == theirs, (path, arguments, ours, theirs)
    a, b = inspect(program, folder)['model'], inspect(program, gguf)['model']
    for key in ('layer_count', 'embedding_size', 'head_count', 'vocabulary_size'):
        assert a[key] == b[key], (key, a, b)
    outline = inspect(program, folder, '--dtype', 'q4_0')['model']
    assert outline['format'] == 'config', outline
    assert 'absent.safetensors' in run(program, 'inspect', os.path.join(
        folder, 'absent.safetensors'), status=1)
    print('the same as GGUF')


def main():
    program, root = sys.argv[1:3]
    families(program, root)
    data = os.environ.get('HETINFER_TEST_DATA', '')
    if os.path.exists(os.path.join(data, 'llm/hf/model.safetensors')):
        same_as_gguf(program, data)


if __name__ == '__main__':
    main()
