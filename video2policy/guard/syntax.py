"""Which Python a generated task or reward may consist of: an allow-list over its syntax tree.

It keeps mistakes and crude attacks out and gives the author a reason; it is not the sandbox. Generated code
runs in a worker process only (`guard.process`), with what `guard.load` gives it, rewritten by `guarded`.
"""

from __future__ import annotations

import ast

MAX_SOURCE = 200_000
"""Characters; the paper's longest example has 4,000."""

MAX_POWER = 1000
"""Largest whole number that is raised to a constant power, and largest exponent."""

IMPORTS = {
    "torch": None,
    "math": None,
    "typing": {"Dict", "List", "Tuple", "Optional", "Any"},
    "torch.nn.functional": None,
    "factory.tasks.task": {"Task"},
    "video2policy.task": {"Task"},
    "__future__": {"annotations"},
}
"""Module -> names that may be imported from it (None: the module itself, and any of its public names)."""

NODES: tuple[type[ast.AST], ...] = (
    ast.Module, ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Import, ast.ImportFrom, ast.alias,
    ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Pass, ast.If, ast.For, ast.While,
    ast.Break, ast.Continue, ast.Raise, ast.Assert, ast.With, ast.withitem, ast.Lambda, ast.IfExp,
    ast.NamedExpr, ast.Delete, ast.Del,
    ast.Call, ast.keyword, ast.Attribute, ast.Subscript, ast.Slice, ast.Name, ast.Load, ast.Store,
    ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.SetComp, ast.DictComp,
    ast.GeneratorExp, ast.comprehension, ast.Starred, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare,
    ast.JoinedStr, ast.FormattedValue, ast.boolop, ast.operator, ast.unaryop, ast.cmpop,
)  # fmt: skip

_NAMES = """
open exec eval compile input breakpoint getattr setattr delattr hasattr globals locals vars dir type object
memoryview help exit quit id classmethod property
"""
FORBIDDEN_NAMES = frozenset(_NAMES.split())

KEPT = {
    "torch": ("torch",),
    "math": ("math",),
    "Task": ("factory.tasks.task.Task", "video2policy.task.Task"),
    "self": (),
}
"""Names with one meaning, and what may be imported by them; `self` is the first parameter of methods only."""

_ATTRIBUTES = """
load save hub ops classes from_file jit package utils distributed multiprocessing compile library
serialization ignore unused export fork wait apply_ map_ register_hook storage untyped_storage share_memory_
numpy data_ptr const_data_ptr set_ resize_ resize_as_ new pin_memory to_mkldnn backward grad_fn as_subclass
module_load crow_indices ccol_indices col_indices row_indices register_post_accumulate_grad_hook envs
urdf_assets_root frombuffer from_dlpack to_dlpack
set_num_threads set_num_interop_threads manual_seed seed set_default_dtype set_default_device
set_default_tensor_type set_rng_state use_deterministic_algorithms set_printoptions os sys cuda backends
autograd overrides PyTorchFileReader PyTorchFileWriter CompilationUnit import_ir_module
import_ir_module_from_buffer parse_ir mro f_globals f_builtins gi_frame gi_code gi_yieldfrom tb_frame cr_frame
"""
FORBIDDEN_ATTRIBUTES = frozenset(_ATTRIBUTES.split())
"""Attributes that reach files, processes, memory, global settings or the simulator, of whatever they are."""
SPARSE = ("to_sparse", "sparse_")
"""How attributes begin that make tensors whose indices torch does not check once they were overwritten."""
FORBIDDEN_KEYWORDS = frozenset(["cdata", "unsafe", "sparse", "sparse_grad", "layout"])

OWNER = "the task itself"
"""Under this name, which no source can spell, `guarded` code finds the function that it asks."""


def check_syntax(source: str) -> list[str]:
    """Every reason why `source` may not run, each with its line; empty when it may."""
    if len(source) > MAX_SOURCE:
        return [f"the code has {len(source)} characters, more than {MAX_SOURCE}"]
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        return [f"it does not parse: {getattr(error, 'msg', error)}" + (f" (line {line})" if line else "")]
    try:
        problems = _Visitor().problems(tree)
    except RecursionError:
        return ["its expressions are nested too deeply"]
    return problems


def guarded(source: str) -> ast.Module:
    """The tree of `source` in which all that is assigned to `self`, or private to it, is of `OWNER(self)`.

    Whether `self` is a task shows at run time only: `Lift.method(torch.Tensor)` calls a method with another.
    """
    return ast.fix_missing_locations(_Guarded().visit(ast.parse(source)))


class _Guarded(ast.NodeTransformer):
    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        self.generic_visit(node)
        private = node.attr.startswith("_") and _dotted(node.value) == "self"
        if private or not isinstance(node.ctx, ast.Load):
            node.value = ast.Call(ast.Name(OWNER, ast.Load()), [node.value], [])
        return node


class _Visitor(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[str] = []
        self.methods: set[ast.FunctionDef] = set()

    def problems(self, tree: ast.Module) -> list[str]:
        for statement in tree.body:
            docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.ClassDef, ast.FunctionDef)
            if not docstring and not isinstance(statement, allowed):
                self._report(
                    statement, "only imports, assignments, classes and functions may stand at the top"
                )
        self.visit(tree)
        return self.found

    def _report(self, node: ast.AST, reason: str) -> None:
        self.found.append(f"{reason} (line {getattr(node, 'lineno', 1)})")

    def generic_visit(self, node: ast.AST) -> None:
        if not isinstance(node, NODES):
            self._report(node, f"{type(node).__name__} is not allowed")
        super().generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name not in IMPORTS or IMPORTS[alias.name] is not None:
                self._report(node, f"import {alias.name} is not allowed; torch, math and the task base are")
            origin = alias.name if alias.asname else alias.name.split(".")[0]
            self._bind(node, alias.asname or origin, origin)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        names = IMPORTS.get(module, set())
        for alias in node.names:
            # Of torch, `torch.nn` may be imported by name; what else it gives out is decided by guard.load.
            fine = node.level == 0 and module in IMPORTS and (names is None or alias.name in names)
            if not fine or alias.name in FORBIDDEN_ATTRIBUTES or alias.name.startswith(("_", "*")):
                if module == "__future__" and alias.name == "annotations":
                    continue
                self._report(node, f"from {module or '.'} import {alias.name} is not allowed")
            self._bind(node, alias.asname or alias.name, f"{module}.{alias.name}")

    def _bind(self, node: ast.AST, name: str, origin: str = "") -> None:
        """Whatever gives `name` a meaning, which is `origin`'s where that is imported."""
        if name in FORBIDDEN_NAMES or name.startswith("__"):
            self._report(node, f"the name {name} is not allowed")
        elif name in KEPT and origin not in KEPT[name]:
            self._report(node, f"the name {name} may not be given another meaning")

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._bind(node, node.id)
        elif node.id in FORBIDDEN_NAMES or node.id.startswith("__"):
            self._report(node, f"the name {node.id} is not allowed")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain, own = _dotted(node), _dotted(node.value) == "self"
        stored = not isinstance(node.ctx, ast.Load)
        if chain == "torch.jit.script" and not stored:
            return
        if node.attr in ("format", "format_map"):
            self._report(node, f"formatting with {node.attr} is not allowed; use an f-string")
        elif stored and not own:
            self._report(node, f"{chain or node.attr} may not be assigned; only self's attributes may")
        elif not (node.attr == "__init__" and _is_super(node.value)) and (
            node.attr.startswith("__" if own else "_")
            or node.attr.startswith(SPARSE)
            or node.attr in FORBIDDEN_ATTRIBUTES
        ):
            self._report(node, f"the attribute {chain or node.attr} is not allowed")
        self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bytes | complex) or (
            isinstance(node.value, int) and abs(node.value) > 2**63
        ):
            self._report(node, "bytes, complex and huge numbers are not allowed")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Pow) and isinstance(node.left, ast.Constant) and not _is_small(node):
            self._report(node, "a whole number may not be raised to a power, unless both are small")
        if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant | ast.JoinedStr):
            self._report(node, "formatting with % is not allowed; use an f-string")
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if [_dotted(base) for base in node.bases] != ["Task"] or node.keywords or node.decorator_list:
            self._report(
                node, f"class {node.name} must derive from Task alone, without keywords or decorators"
            )
        if node.name.startswith("_") or node.name in KEPT or getattr(node, "type_params", []):
            self._report(node, f"the class name {node.name} is not allowed")
        for statement in node.body:
            docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if isinstance(statement, ast.FunctionDef):
                self.methods.add(statement)
            elif not docstring and not isinstance(statement, ast.Assign | ast.AnnAssign | ast.Pass):
                self._report(statement, "a class may hold functions and assignments only")
            self.visit(statement)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for decorator in node.decorator_list:
            if _dotted(decorator) not in ("torch.jit.script", "staticmethod"):
                self._report(node, f"the decorator of {node.name} is not allowed; torch.jit.script is")
        method = node in self.methods
        if not (method and node.name == "__init__"):
            self._bind(node, node.name)
        for index, parameter in enumerate(_parameters(node.args)):
            if not (method and index == 0 and parameter.arg == "self"):
                self._bind(parameter, parameter.arg)
        if getattr(node, "type_params", []):
            self._report(node, f"the type parameters of {node.name} are not allowed")
        for value in [*node.args.defaults, *node.args.kw_defaults, *node.body]:
            if value is not None:
                self.visit(value)
        # Annotations are never evaluated: guard.load compiles with postponed evaluation.

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for parameter in _parameters(node.args):
            self._bind(parameter, parameter.arg)
        self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg in FORBIDDEN_KEYWORDS:
            self._report(node.value, f"the keyword {node.arg} is not allowed")
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            call = item.context_expr
            if not (isinstance(call, ast.Call) and _dotted(call.func) == "torch.no_grad"):
                self._report(node, "with is allowed for torch.no_grad() only")
        self.generic_visit(node)


def _dotted(node: ast.AST) -> str:
    """`torch.jit.script` for that attribute chain, "" for anything that is no plain chain of names."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def _parameters(node: ast.arguments) -> list[ast.arg]:
    """All of them, the first one first."""
    found = [*node.posonlyargs, *node.args, node.vararg, *node.kwonlyargs, node.kwarg]
    return [parameter for parameter in found if parameter is not None]


def _is_super(node: ast.AST) -> bool:
    """Whether this is `super()`, or `super(Name, self)`."""
    return (
        isinstance(node, ast.Call)
        and _dotted(node.func) == "super"
        and [_dotted(value) for value in node.args[1:]] == ["self"][: len(node.args)]
        and not node.keywords
    )


def _is_small(power: ast.BinOp) -> bool:
    """Whether a constant's power stays a moderate number: a float's, or one of two small constants."""
    exponent = power.right.operand if isinstance(power.right, ast.UnaryOp) else power.right
    base, by = (part.value if isinstance(part, ast.Constant) else None for part in (power.left, exponent))
    if isinstance(base, float):
        return True
    return all(isinstance(number, int | float) and abs(number) <= MAX_POWER for number in (base, by))
