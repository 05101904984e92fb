"""The allow-list: what the paper's code needs passes, what reaches further does not."""

import pytest

from video2policy.guard.syntax import check_syntax

GOOD = [
    "import torch\nimport math\nfrom factory.tasks.task import Task\nfrom typing import Dict, Tuple\n",
    """
from video2policy.task import Task
class A(Task):
    'doc'
    x = 1
    def f(self):
        super().__init__(1, 2, {})
""",
    """
import torch
@torch.jit.script
def f(a, s):
    # type: (Tensor, Dict[str, Tensor]) -> Tensor
    return a
""",
    """
import torch.nn.functional as F
def f(a: 'anything', b: str = 'x') -> dict:
    return [i for i in a if i]
""",
    """
def f(a):
    for i in range(3):
        if i and not a:
            continue
    return {k: v for k, v in a.items()}
""",
    """
import torch
def f(x):
    with torch.no_grad():
        return f'{x:.2f}', x ** 2, x @ x, ~x & x | x
""",
    """
from video2policy.task import Task
class A(Task):
    threshold: float = 0.1
    def __init__(self, envs, root):
        super(A, self).__init__(envs, root, {})
    def f(self, states):
        self.count = 1
        self._seen += 1
        states['a'] = 2
        a, b = states.values()
        return self._height(a)
    def _height(self, a):
        return a
""",
    """
import torch
Tensor = torch.Tensor
def _distance(a, b, *more, scale=10 ** -2, **rest):
    if (n := len(more)) > 2 ** 3:
        del rest
    return scale * 0.9 ** n * torch.topk(a - b, 1).indices, isinstance(a, torch.Tensor)
""",
]

BAD = [
    "import os",
    "import torch.utils",
    "import torch.hub as h",
    "from os import path",
    "from torch import load",
    "from torch import *",
    "from . import secrets",
    "from factory.tasks.task import sys",
    "from video2policy.evaluate import judges",
    "import video2policy.evaluate.judges",
    "open('x')",
    "x = open('x')",
    "x = eval('1')",
    "x = exec('1')",
    "x = __import__('os')",
    "x = getattr(1, 'a')",
    "x = globals()",
    "x = ().__class__.__bases__",
    "x = (1).real.__class__",
    "x = __builtins__",
    "import torch\nx = torch.load('a')",
    "import torch\nx = torch.save(1, 'a')",
    "import torch\nx = torch.from_file('a')",
    "import torch\nx = torch.ops.aten",
    "import torch\nx = torch.hub.load('a', 'b')",
    "import torch\nx = torch.jit.load('a')",
    "import torch\nx = torch.utils.cpp_extension",
    "import torch\n@torch.jit.ignore\ndef f(): pass",
    "import torch\n@torch.jit.unused\ndef f(): pass",
    "import torch\nx = torch.Tensor.numpy",
    "import torch\ntorch.norm = 1",
    "import torch\ndef f(a):\n    torch.Tensor.norm = a",
    "from video2policy.task import Task\nTask.compute_success = 1",
    "def f(self):\n    return self.envs.sim",
    "def f(self):\n    self.envs.n = 1",
    "def f():\n    global x",
    "def f():\n    try:\n        pass\n    except ValueError:\n        pass",
    "async def f(): pass",
    "def f():\n    yield 1",
    "from torch import ones as self",
    "import math as self",
    "import math as torch",
    "import math as __builtins__",
    "import torch.nn.functional as torch",
    "from torch import device as Task",
    "import torch\nself = torch",
    "def f(g, self):\n    self.split = g",
    "def f(self):\n    self.split = 1",
    "def f(*self): pass",
    "def f(*__x): pass",
    "def f(**torch): pass",
    "def f(*, math): pass",
    "x = lambda self: 1",
    "x = lambda __import__: 1",
    "x = [1 for self in (1, 2)]",
    "def f(x):\n    return (torch := x)",
    "def f():\n    del math",
    "def torch(): pass",
    "from video2policy.task import Task\nTask = dict",
    "from video2policy.task import Task\nclass math(Task): pass",
    "from video2policy.task import Task\nclass A(Task):\n    def f(a, self): pass",
    "from video2policy.task import Task\nclass A(Task):\n    f = lambda self: 1",
    "from video2policy.task import Task\nclass A(Task):\n    def f(self, x):\n        self = x",
    "from video2policy.task import Task\nclass A(Task):\n    def f(self, x):\n        del x.y",
    "from video2policy.task import Task\nclass A(Task):\n    def f(self):\n        self.__x = 1",
    "def f(x, y):\n    super(x, y).__init__()",
    "import torch\ntorch.jit.script = 1",
    "import torch\nx = torch.FloatTensor(cdata=1)",
    "import torch\nx = torch.ones(1).new(1)",
    "import torch\nx = torch.ones(1).const_data_ptr()",
    "import torch\nx = torch.eye(2).to_sparse_csr()",
    "import torch\nx = torch.eye(2).crow_indices()",
    "import torch\nx = torch.ones(1).backward()",
    "def f(x):\n    with x: pass",
    "def f(x):\n    return '{0.__class__}'.format(x)",
    "def f(x):\n    return '%s' % x",
    "def f(x):\n    return f'{x.__class__}'",
    "def f(x):\n    return 9 ** x",
    "def f(x):\n    return '{}'.format(x)",
    "x = 9 ** 9 ** 9",
    "x = 1001 ** 2",
    "x = 2 ** 1001",
    "x = b'abc'",
    "for i in range(9): pass",
    "print('hello')",
    "class A: pass",
    "class A(object): pass",
    "from video2policy.task import Task\nclass A(Task, metaclass=type): pass",
    "from video2policy.task import Task\n@print\nclass A(Task): pass",
    "from video2policy.task import Task\nclass A(Task):\n    def __getattr__(self, a): pass",
    "from video2policy.task import Task\nclass A(Task):\n    def __del__(self): pass",
    "from video2policy.task import Task\nclass Task(Task): pass",
    "def f(a=open('x')): pass",
    "def f(x):\n    match x:\n        case 1: pass",
    "def f(:",
    "x = 1\0",
    "x = " + "(" * 500 + ")" * 500,
    "x = " + "1+" * 50_000 + "1",
    "#" + "x" * 300_000,
]


@pytest.mark.parametrize("source", GOOD)
def test_allowed(source: str) -> None:
    assert check_syntax(source) == []


@pytest.mark.parametrize("source", BAD, ids=range(len(BAD)))
def test_refused_with_a_reason(source: str) -> None:
    problems = check_syntax(source)
    assert problems and all(len(problem) < 200 for problem in problems)


def test_reasons_name_the_line() -> None:
    assert check_syntax("import torch\nx = torch.load('a')") == [
        "the attribute torch.load is not allowed (line 2)"
    ]
