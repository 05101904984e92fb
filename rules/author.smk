# Requires: scene.json of a clip that passed. Gives: the task's code, picked from several candidates.


rule freeze_examples:
    """What one stage of the curriculum may learn from: the solved tasks of those before (paper, section 3.2)."""
    input:
        unpack(earlier_clips),
    output:
        examples=directory("results/examples/{variant}/{iter}"),
        provenance="results/examples/{variant}/{iter}.provenance.json",
    log:
        "logs/examples/{variant}/{iter}.log",
    conda:
        "../envs/embedded.yaml"
    params:
        code=code_digest("scripts/freeze_examples.py"),
    script:
        "../scripts/freeze_examples.py"


rule write_task:
    """One candidate for the six-part task code (paper, section 3.2)."""
    input:
        unpack(sent_frames),
        unpack(stage_examples),
        scene="<clip>/scene.json",
    output:
        candidate="<task>/task/candidate_{sample}.py",
        request="<task>/task/candidate_{sample}.request.json",
        reply="<task>/task/candidate_{sample}.reply.json",
        provenance="<task>/task/candidate_{sample}.provenance.json",
    log:
        "logs/{video}/{variant}/write_task/{sample}.log",
    conda:
        "../envs/embedded.yaml"
    params:
        sample=lambda wc: int(wc.sample),
        author=author,
        code=code_digest("scripts/write_task.py"),
    script:
        "../scripts/write_task.py"


rule pick_task:
    """Check every candidate in a process of its own, and pick one with a written reason."""
    input:
        unpack(sent_frames),
        unpack(borrowed_reset),
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
        author=author,
        code=code_digest("scripts/pick_task.py"),
    script:
        "../scripts/pick_task.py"
