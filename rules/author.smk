# Requires: scene.json of a clip that passed. Gives: the task's code, picked from several candidates.


rule write_task:
    """One candidate for the six-part task code (paper, section 3.2)."""
    input:
        scene="<clip>/scene.json",
    output:
        candidate="<task>/task/candidate_{sample}.py",
        provenance="<task>/task/candidate_{sample}.provenance.json",
    log:
        "logs/{video}/{variant}/write_task/{sample}.log",
    conda:
        "../envs/embedded.yaml"
    params:
        sample=lambda wc: int(wc.sample),
        author=setting("author"),
        code=code_digest("scripts/write_task.py"),
    script:
        "../scripts/write_task.py"


rule pick_task:
    """Check every candidate in a process of its own, and pick one with a written reason."""
    input:
        scene="<clip>/scene.json",
        candidates=candidates,
    output:
        task="<task>/task/task.py",
        pick_json="<task>/task/pick.json",
        provenance="<task>/task/pick_task.provenance.json",
    log:
        "logs/{video}/{variant}/pick_task.log",
    conda:
        "../envs/embedded.yaml"
    params:
        sandbox=SANDBOX,
        code=code_digest("scripts/pick_task.py"),
    script:
        "../scripts/pick_task.py"
