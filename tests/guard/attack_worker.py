"""A worker that runs attacks as generated code would run, without the syntax check; for test_attacks only."""

import json
import sys
from pathlib import Path

from video2policy.guard.lockdown import contain


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text())
    if spec["torch"]:
        import torch

        torch.set_num_threads(1)
    contain(spec)
    outcomes = {}
    for name, source, facts in spec["attacks"]:
        space = {**facts, "__name__": "generated"}
        try:
            exec(compile(source, f"<{name}>", "exec"), space)
            outcomes[name] = {"loot": str(space["loot"])[:500] if space.get("loot") else "", "raised": ""}
        except BaseException as error:
            outcomes[name] = {"loot": "", "raised": f"{type(error).__name__}: {str(error)[:200]}"}
        space.clear()
    Path("result.json").write_text(json.dumps({"outcomes": outcomes}))


if __name__ == "__main__":
    main()
