# SPDX-License-Identifier: Apache-2.0
"""`hetinfer run --chat`: what a model with a chat template answers is what it makes of the text
that `hetinfer template` prints (which tests/unit/test_template.c compares with transformers), turn
after turn; stop strings, the system message, the end of the input and an interrupt.

    chat_test.py COMMAND ROOT [TEMPLATES]

TEMPLATES: a folder of the templates that models ship; left out if there is none.
"""
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

PLAIN = ("{{ bos_token }}{% for m in messages %}<{{ m['role'] }}> {{ m['content'] | trim }}\n"
         "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}")
GREEDY = ['--temp', '0', '-n', '12', '--quiet', '--threads', '1']


def run(program, *arguments, given='', status=0):
    result = subprocess.run([program, *map(str, arguments)], input=given, capture_output=True,
                            text=True, timeout=120)
    assert result.returncode == status, (arguments, result.returncode, result.stderr)
    return result.stdout if status == 0 else result.stderr


def model_with(root, folder, template):
    """The embedded model with a chat template."""
    model = folder / 'model'
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(root / 'examples/models/hearth-draft', model)
    (model / 'chat_template.jinja').write_text(template, encoding='utf-8')
    return model


def rendered(program, model, folder, messages):
    path = folder / 'messages.json'
    path.write_text(json.dumps(messages), encoding='utf-8')
    return run(program, 'template', model, '--messages', path)


def completed(program, model, folder, text):
    path = folder / 'text'
    path.write_bytes(text.encode('utf-8'))
    return run(program, 'run', model, '-f', path, '--special', '--no-bos', *GREEDY)


def one_message(program, model, folder, system):
    messages = [{'role': 'user', 'content': 'Who are you?'}]
    more = []
    if system:
        messages.insert(0, {'role': 'system', 'content': system})
        more = ['--system', system]
    got = run(program, 'run', model, '--chat', '-p', 'Who are you?', *more, *GREEDY)
    want = completed(program, model, folder, rendered(program, model, folder, messages))
    assert got == want, (got, want)
    return got


def turns(program, model, folder, system):
    """Every answer is that to the whole conversation before it."""
    lines = ['Good evening, sir.', 'And where do you come from?']
    more = ['--system', system] if system else []
    got = run(program, 'run', model, '--chat', *more, *GREEDY, given='\n'.join(lines))
    messages = [{'role': 'system', 'content': system}] if system else []
    want = ''
    for line in lines:
        messages.append({'role': 'user', 'content': line})
        answer = completed(program, model, folder, rendered(program, model, folder, messages))
        messages.append({'role': 'assistant', 'content': answer})
        want += answer + '\n'
    assert got == want, (got, want)


def ends(program, model):
    assert run(program, 'run', model, '--chat', *GREEDY) == ''
    whole = run(program, 'run', model, '--chat', '-p', 'Who are you?', *GREEDY)
    word = whole.split()[1]
    cut = run(program, 'run', model, '--chat', '-p', 'Who are you?', '--stop', word, *GREEDY)
    assert cut == whole[:whole.index(word)], (cut, whole)
    stopped = run(program, 'run', model, '--chat', '--stop', word, *GREEDY, given='Who are you?\n')
    assert stopped == cut + '\n', (stopped, cut)
    for arguments in (['--json'], ['--echo']):
        run(program, 'run', model, '--chat', *arguments, status=2)
    run(program, 'run', model, '--system', 'x', '-p', 'y', status=2)


def interrupt(program, model):
    process = subprocess.Popen([program, 'run', model, '--chat', *GREEDY], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stdin.write('Who are you?\n')
    process.stdin.flush()
    assert process.stdout.readline()  # it waits for the next line then
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 1, process.returncode
    assert 'interrupted' in process.stderr.read()
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def main(program, root, templates=''):
    root = pathlib.Path(root)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = model_with(root, folder, PLAIN)
        one_message(program, model, folder, None)
        one_message(program, model, folder, 'You are a servant.')
        turns(program, model, folder, None)
        turns(program, model, folder, 'You are a servant.')
        ends(program, model)
        interrupt(program, model)
        bare = root / 'examples/models/hearth-draft'
        assert 'template' in run(program, 'run', bare, '--chat', '-p', 'x', status=1)
        count = 0
        for path in sorted(pathlib.Path(templates).glob('*.jinja')) if templates else ():
            model = model_with(root, folder, path.read_text(encoding='utf-8'))
            system = None if 'gemma' in path.name else 'You are a servant.'
            one_message(program, model, folder, system)
            turns(program, model, folder, system)
            count += 1
        print(count, 'templates of models')


if __name__ == '__main__':
    main(*sys.argv[1:])
