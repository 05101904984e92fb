"""What generated code may try: small programs, as text. `test_attacks` runs them; nothing runs by itself.

A program finds in its name space the paths and numbers of `Facts` and torch. It has succeeded when `loot` is
true at its end. Those marked `harmless` are also run without containment, where they must succeed: an attack
that never works proves nothing.
"""

# ruff: noqa: E501 - programs as they stand
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attack:
    """A program, whether it can be tried on an open machine, and whether the syntax check sees through it."""

    name: str
    source: str
    harmless: bool = True
    refused: bool = True


FACTS = ("secret", "canary", "outside", "home", "judge", "root", "port", "udp", "unix", "victim", "parent")
"""A file to be kept secret; a file to be left alone (another for each attack); the folder they are in; the
user's; the judges' source; the project; listening ports and socket; two processes."""

_READ = {
    "open": "loot = open(secret).read()",
    "pathlib": "from pathlib import Path\nloot = Path(secret).read_bytes()",
    "os_open": "import os\nloot = os.read(os.open(secret, os.O_RDONLY), 99)",
    "upwards": "loot = open('../secret.txt').read()",
    "through_proc": "loot = open('/proc/self/cwd/../secret.txt').read()",
    "environment_of_the_parent": "loot = open(f'/proc/{parent}/environ', 'rb').read()",
    "command_of_the_parent": "loot = open(f'/proc/{parent}/cmdline', 'rb').read()",
    "memory_of_the_parent": "loot = open(f'/proc/{parent}/mem', 'rb')",
    "users": "loot = open('/etc/passwd').read()",
    "folder": "import os\nloot = os.listdir(outside)",
    "home": "import os\nos.listdir(home)\nloot = True",
    "glob": "import glob\nloot = glob.glob(outside + '/*')",
    "walk": "import os\nloot = [f for _, _, files in os.walk(outside) for f in files]",
    "judge": "loot = open(judge).read()",
    "judge_by_import": "import video2policy.evaluate.judges as judges\nloot = judges.judge",
    "judge_by_loader": "import importlib.util as u\nloot = u.find_spec('video2policy.evaluate.judges')\n"
    "loot = loot.loader.get_source('video2policy.evaluate.judges')",
    "judge_by_inspect": "import linecache\nloot = linecache.getlines(judge)",
    "project": "import os\nloot = os.listdir(root)",
    "numpy": "import numpy\nloot = len(numpy.fromfile(secret, dtype=numpy.uint8))",
    "memory_map": "import numpy\nloot = bytes(numpy.memmap(secret, mode='r')[:4])",
    "torch_from_file": "import torch\nloot = torch.from_file(secret, size=4, dtype=torch.uint8).sum()",
    "torch_load": "import torch\nfrom pathlib import Path\ntorch.load(Path(outside) / 'tensor.pt')\nloot = True",
    "torch_jit_load": "import torch\nloot = torch.jit.load(outside + '/script.pt')",
    "torch_archive": "import torch\nloot = torch.PyTorchFileReader(outside + '/tensor.pt').get_all_records()",
    "torch_module": "import torch\ntorch.import_ir_module(torch.CompilationUnit(), outside + '/script.pt', None, {}, False)\nloot = True",
    "ctypes": "import ctypes\nloot = ctypes.CDLL(None).open(secret.encode(), 0) >= 0",
    "system_call": "import ctypes\nloot = ctypes.CDLL(None).syscall(257, -100, secret.encode(), 0, 0) >= 0",
    "openat2": "import ctypes\nhow = (ctypes.c_uint64 * 3)()\n"
    "loot = ctypes.CDLL(None).syscall(437, -100, secret.encode(), how, 24) >= 0",
    "symlink": "import os\nos.symlink(secret, 'soft.txt')\nloot = open('soft.txt').read()",
    "hard_link": "import os\nos.link(secret, 'hard.txt')\nloot = open('hard.txt').read()",
    "change_of_folder": "import os\nhere = os.getcwd()\nos.chdir(outside)\nos.chdir(here)\nloot = True",
    "pickle": "import pickle\nloot = pickle.loads(b'cbuiltins\\nopen\\n(V' + secret.encode() + b'\\ntR.').read()",
    "subclasses": "loot = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'FileLoader']\n"
    "loot = loot[0]('x', secret).get_data(secret)",
    "builtins_of_a_function": "def f(): pass\nloot = f.__globals__['__builtins__']['open'](secret).read()",
    "frame": "import sys\nframe = sys._getframe()\nwhile frame.f_back:\n    frame = frame.f_back\n"
    "loot = frame.f_builtins['open'](secret).read()",
    "getattr": "import io\nloot = getattr(io, 'op' + 'en')(secret).read()",
    "eval": "loot = eval(compile('open(secret).read()', 'x', 'eval'))",
    "format": "loot = '{0.__class__}'.format(0) and open(secret).read()",
}

_WRITE = {
    "open": "open(canary, 'w').write('x')\nloot = True",
    "append": "open(canary, 'a').write('x')\nloot = True",
    "truncate": "import os\nos.truncate(canary, 0)\nloot = True",
    "remove": "import os\nos.remove(canary)\nloot = True",
    "rename": "import os\nos.rename(canary, canary + '.moved')\nloot = True",
    "take_away": "import os\nos.rename(canary, 'taken.txt')\nloot = True",
    "put_there": "import os\nopen('mine.txt', 'w').close()\nos.replace('mine.txt', canary)\nloot = True",
    "mode": "import os\nos.chmod(canary, 0o777)\nloot = True",
    "times": "import os\nos.utime(canary, (0, 0))\nloot = True",
    "owner": "import os\nos.chown(canary, os.getuid(), os.getgid())\nloot = True",
    "new_file": "open(outside + '/new.txt', 'x').close()\nimport os\nos.remove(outside + '/new.txt')\nloot = True",
    "new_folder": "import os\nos.mkdir(outside + '/new')\nos.rmdir(outside + '/new')\nloot = True",
    "pipe": "import os\nos.mkfifo('pipe')\nos.remove('pipe')\nloot = True",
    "temporary": "import os, uuid\nname = '/tmp/' + uuid.uuid4().hex\nopen(name, 'x').close()\nos.remove(name)\n"
    "loot = True",
    "shared_memory": "import os, uuid\nname = '/dev/shm/' + uuid.uuid4().hex\nopen(name, 'x').close()\n"
    "os.remove(name)\nloot = True",
    "judge": "loot = open(judge, 'r+')\nloot.close()",
    "simulator": "loot = open(root + '/video2policy/sim/mujoco.py', 'r+')\nloot.close()",
    "compiled_functions": "import os\nname = root + '/video2policy/sim/__pycache__/attack.nbi'\n"
    "open(name, 'x').close()\nos.remove(name)\nloot = True",
    "packages": "import torch\nloot = open(torch.__file__, 'r+')\nloot.close()",
    "start_of_python": "import os, torch\nname = os.path.dirname(torch.__path__[0]) + '/attack.pth'\n"
    "open(name, 'x').close()\nos.remove(name)\nloot = True",
    "numpy": "import numpy\nnumpy.save(canary, [1])\nloot = True",
    "memory_map": "import numpy\nnumpy.memmap(canary, mode='r+')[0] = 0\nloot = True",
    "safetensors": "import safetensors.torch as s, torch\ns.save_file({'a': torch.zeros(1)}, canary)\nloot = True",
    "database": "import sqlite3\nsqlite3.connect(outside + '/new.db').execute('create table t (a)')\nimport os\n"
    "os.remove(outside + '/new.db')\nloot = True",
    "torch_save": "import torch\ntorch.save([1], canary)\nloot = True",
    "torch_archive": "import torch\ntorch.PyTorchFileWriter(canary)\nloot = True",
    "torch_from_file": "import torch\ntorch.from_file(canary, shared=True, size=4, dtype=torch.uint8).fill_(0)\n"
    "loot = True",
    "torch_jit_save": "import torch\ntorch.jit.save(torch.jit.trace(torch.neg, torch.zeros(1)), canary)\nloot = True",
    "jit_ignore": "import torch\n@torch.jit.ignore\ndef f(x: int) -> int:\n    return open(canary, 'w').write('x')\n"
    "loot = f(1)",
    "log_file": "import logging\nlogging.FileHandler(canary).emit(logging.makeLogRecord({'msg': 'x'}))\nloot = True",
    "ctypes": "import ctypes\nloot = ctypes.CDLL(None).unlink(canary.encode()) == 0",
}

_NETWORK = {
    "tcp": "import socket\nloot = socket.create_connection(('127.0.0.1', port), 2)",
    "udp": "import socket\nloot = socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', udp))",
    "unix": "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect(unix)\nloot = True",
    "listen": "import socket\nloot = socket.create_server(('127.0.0.1', 0))",
    "pair": "import socket\nloot = socket.socketpair()",
    "netlink": "import socket\nloot = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "urllib": "import urllib.request as r\nloot = r.urlopen(f'http://127.0.0.1:{port}/', timeout=2).read()",
    "torch_hub": "import torch\ntorch.hub.download_url_to_file(f'http://127.0.0.1:{port}/', 'got.bin', progress=False)"
    "\nloot = True",
    "ctypes": "import ctypes\nloot = ctypes.CDLL(None).socket(2, 1, 0) >= 0",
}

_PROCESS = {
    "fork": "import os\nchild = os.fork()\nif not child:\n    os._exit(0)\nos.waitpid(child, 0)\nloot = True",
    "subprocess": "import subprocess\nloot = subprocess.run(['/bin/true']).returncode == 0",
    "system": "import os\nloot = os.system('true') == 0",
    "spawn": "import os\nloot = os.posix_spawn('/bin/true', ['true'], {})\nos.waitpid(loot, 0)",
    "popen": "import os\nloot = os.popen('echo yes').read()",
    "multiprocessing": "import multiprocessing as m\np = m.get_context('fork').Process(target=print)\np.start()\n"
    "p.join()\nloot = True",
    "pickle": "import os, pickle\nloot = pickle.loads(b\"cos\\nsystem\\n(S'true'\\ntR.\") == 0",
    "shared_tensor": "import torch\ntorch.zeros(4).share_memory_()\nloot = True",
    "clone3": "import ctypes, os\nargs = (ctypes.c_uint64 * 8)(0, 0, 0, 0, 17)\n"
    "child = ctypes.CDLL(None).syscall(435, args, 64)\nif child == 0:\n    os._exit(0)\nloot = child > 0\n"
    "if loot:\n    os.waitpid(child, 0)",
    "signal": "import os\nos.kill(victim, 0)\nloot = True",
    "signal_to_the_parent": "import os\nos.kill(parent, 0)\nloot = True",
    "signal_to_a_group": "import os\nos.killpg(os.getpgid(victim), 0)\nloot = True",
    "signal_by_owner": "import fcntl, os\nr, w = os.pipe()\nfcntl.fcntl(r, fcntl.F_SETOWN, victim)\nloot = True",
    "pidfd": "import os\nloot = os.pidfd_open(victim)",
    "trace": "import ctypes\nc = ctypes.CDLL(None)\nloot = c.ptrace(0x4206, victim, None, None) == 0\n"
    "loot and c.ptrace(17, victim, None, None)",
    "outlive_the_parent": "import ctypes\nloot = ctypes.CDLL(None).prctl(1, 0, 0, 0, 0) == 0",
    "raise_limits": "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nloot = True",
    "limits_of_others": "import resource\nloot = resource.prlimit(victim, resource.RLIMIT_CORE)",
    "priority": "import os\nos.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))\nloot = True",
    "user": "import os\nos.setuid(os.getuid())\nloot = True",
    "memory_file": "import os\nloot = os.memfd_create('x')",
    "shared_memory": "import mmap\nloot = len(mmap.mmap(-1, 4096))",
    "file_without_a_name": "import os\nloot = os.open('.', os.O_TMPFILE | os.O_RDWR)",
    "zeros": "loot = open('/dev/zero', 'rb').read(1)",
    "io_uring": "import ctypes\nloot = ctypes.CDLL(None).syscall(425, 4, ctypes.create_string_buffer(256)) >= 0",
    "keyring": "import ctypes\nloot = ctypes.CDLL(None).syscall(250, 0, -3, 1) != -1",
}

_DANGEROUS = {
    "exec": "import os\nos.execv('/bin/true', ['true'])",
    "unshare": "import ctypes\nloot = ctypes.CDLL(None).unshare(0x10000000) == 0",
    "mount": "import ctypes\nloot = ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0",
    "chroot": "import os\nos.chroot('.')\nloot = True",
    "device": "import os, stat\nos.mknod('disk', stat.S_IFBLK | 0o600, os.makedev(8, 0))\nloot = True",
    "bpf": "import ctypes\nloot = ctypes.CDLL(None).syscall(321, 0, ctypes.create_string_buffer(64), 64) >= 0",
    "userfaultfd": "import ctypes\nloot = ctypes.CDLL(None).syscall(323, 0) >= 0",
    "perf": "import ctypes\nloot = ctypes.CDLL(None).syscall(298, ctypes.create_string_buffer(128), 0, -1, -1, 0) >= 0",
    "memory_of_another": "import ctypes\nb = ctypes.create_string_buffer(16)\n"
    "v = (ctypes.c_uint64 * 2)(ctypes.addressof(b), 16)\nr = (ctypes.c_uint64 * 2)(0x400000, 16)\n"
    "loot = ctypes.CDLL(None).syscall(310, victim, v, 1, r, 1, 0) > 0",
    "x32": "import ctypes\nloot = ctypes.CDLL(None).syscall(0x40000000 + 39) > 0",
    "compiler": "import torch.utils.cpp_extension as c\nc.load_inline('x', 'int f() { return 1; }', functions=['f'])\n"
    "loot = True",
    "terminal": "import fcntl\nfcntl.ioctl(1, 0x5412, b'x')\nloot = True",
    "kill_everything": "import os, signal\nos.kill(-1, signal.SIGKILL)\nloot = True",
    "kill_own_group": "import os, signal\nos.killpg(0, signal.SIGKILL)\nloot = True",
    "giant_file": "f = open('giant.bin', 'wb')\nf.seek(3 * 2**30)\nf.write(b'x')\nf.flush()\nloot = True",
    "many_files": "f = [open('/dev/null') for _ in range(5000)]\nloot = True",
    "memory_by_numpy": "import numpy\nx = numpy.ones(2**31)\nloot = True",
    "recursion": "def f(n):\n    return f(n + 1)\nf(0)\nloot = True",
    "many_threads": "import threading\ne = threading.Event()\nt = []\ntry:\n    for _ in range(20000):\n"
    "        t.append(threading.Thread(target=e.wait))\n        t[-1].start()\nfinally:\n    e.set()\nloot = True",
}

_PASSES_THE_SYNTAX = {
    "memory": "x = bytearray(16 * 2**30)\nloot = True",
    "memory_by_torch": "import torch\nx = torch.ones(2147483648, dtype=torch.float64)\nloot = True",
    "memory_by_list": "x = [0] * 4294967296\nloot = True",
}

ESCAPES = [
    *(Attack(f"read_{name}", source) for name, source in _READ.items()),
    *(Attack(f"write_{name}", source) for name, source in _WRITE.items()),
    *(Attack(f"network_{name}", source) for name, source in _NETWORK.items()),
    *(Attack(f"process_{name}", source) for name, source in _PROCESS.items()),
    *(Attack(name, source, harmless=False) for name, source in _DANGEROUS.items()),
    *(Attack(name, source, harmless=False, refused=False) for name, source in _PASSES_THE_SYNTAX.items()),
]
"""Attempts to reach out of the worker, run one after the other in one locked-down process."""

ENDINGS = {
    "endless_loop": ("while True:\n    pass", "did not end within"),
    "sleep": ("import time\ntime.sleep(1000)", "did not end within"),
    "endless_iterator": ("sum(iter(int, 1))", "did not end within"),
    "huge_power": ("x = 9 ** 9 ** 9", "did not end within"),
    "slow_pattern": ("import re\nre.match('(a+)+$', 'a' * 60 + 'b')", "did not end within"),
    "deadlock": (
        "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()",
        "did not end within",
    ),
    "deaf_to_signals": (
        "import signal\nfor k in (1, 2, 15):\n    signal.signal(k, signal.SIG_IGN)\nwhile True:\n    pass",
        "did not end within",
    ),
    "silence": ("import os, time\nos.close(1)\nos.close(2)\ntime.sleep(1000)", "did not end within"),
    "flood": ("while True:\n    print('x' * 65536)", "printed more than"),
    "flood_of_files": (
        "for k in range(5000):\n    open(f'{k}.txt', 'w').close()\nimport time\ntime.sleep(1000)",
        "wrote more files than it may",
    ),
    "exit": ("import os\nos._exit(0)", "wrote no result"),
    "abort": ("import os\nos.abort()", "SIGABRT"),
    "bad_address": ("import ctypes\nctypes.string_at(0)", "SIGSEGV"),
    "result_by_symlink": ("import os\nos.symlink('/etc/passwd', 'result.json')\nos._exit(0)", ""),
    "result_by_pipe": ("import os\nos.mkfifo('result.json')\nos._exit(0)", ""),
    "result_with_nan": (
        "open('result.json', 'w').write('{\"a\": NaN}')\nimport os\nos._exit(0)",
        "not finite",
    ),
    "result_with_infinity": (
        "open('result.json', 'w').write('{\"a\": 1e999}')\nimport os\nos._exit(0)",
        "not finite",
    ),
    "result_too_deep": (
        "open('result.json', 'w').write('{\"a\": ' + '[' * 500 + ']' * 500 + '}')\nimport os\nos._exit(0)",
        "too large",
    ),
    "result_far_too_deep": (
        "open('result.json', 'w').write('[' * 10**6)\nimport os\nos._exit(0)",
        "not JSON",
    ),
    "result_too_long": (
        "open('result.json', 'w').write('{\"a\": [' + '0,' * 10**6 + '0]}')\nimport os\nos._exit(0)",
        "too large",
    ),
    "result_as_pickle": (
        "import os, pickle\nopen('result.json', 'wb').write(pickle.dumps(1))\nos._exit(0)",
        "not JSON",
    ),
}
"""Name -> (program, how the parent is told that it ended): each in a process of its own, ended within seconds."""
