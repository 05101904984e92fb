# Requires: the best reward of the search. Gives: trained policies, their judgement, a rollout video, trajectories.


rule train_policy:
    """Train the best reward to its end, and with further seeds."""
    input:
        unpack(skill_if_taught),
        scene="<clip>/scene.json",
        task="<task>/task/task.py",
        best=last_best,
    output:
        policy="<task>/policy/policy.safetensors",
        seeds=directory("<task>/policy/seeds"),
        provenance="<task>/policy/train_policy.provenance.json",
    log:
        "logs/{video}/{variant}/train_policy.log",
    conda:
        engine_environment
    threads: lambda wc: setting("training")(wc)["threads"]
    resources:
        gpu=engine_gpus,
        mem_mb=2500,
    params:
        n_seeds=lambda wc: setting("evaluation")(wc)["seeds"],
        sees=author_setting("sees"),
        simulation=setting("simulation"),
        training=training(),
        sandbox=SANDBOX,
        code=engine_code("scripts/train_policy.py"),
    script:
        "../scripts/train_policy.py"


rule evaluate:
    """Roll the policies out and judge them by the family's hand-written predicate, which no training reads."""
    input:
        scene="<clip>/scene.json",
        task="<task>/task/task.py",
        seeds="<task>/policy/seeds",
    output:
        eval_json="<task>/policy/eval.json",
        rollout="<task>/policy/rollout.mp4",
        provenance="<task>/policy/evaluate.provenance.json",
    log:
        "logs/{video}/{variant}/evaluate.log",
    conda:
        judging_environment
    threads: lambda wc: setting("training")(wc)["threads"]
    resources:
        gpu=judging_gpus,
        mem_mb=2500,
    params:
        video=lambda wc: wc.video,
        variant=lambda wc: wc.variant,
        evaluation=setting("evaluation"),
        simulation=setting("simulation"),
        sandbox=SANDBOX,
        code=judging_code("scripts/evaluate.py"),
    script:
        "../scripts/evaluate.py"


rule collect:
    """The policy's judged successes as a LeRobot dataset."""
    input:
        scene="<clip>/scene.json",
        task="<task>/task/task.py",
        policy="<task>/policy/policy.safetensors",
    output:
        trajectories=directory("<task>/trajectories"),
        provenance="<task>/collect.provenance.json",
    log:
        "logs/{video}/{variant}/collect.log",
    conda:
        judging_environment
    resources:
        gpu=judging_gpus,
    params:
        collection=lambda wc: {
            name: value
            for name, value in config["trajectories"].items()
            if name != "formats"
        },
        simulation=setting("simulation"),
        sandbox=SANDBOX,
        code=judging_code("scripts/collect.py"),
    script:
        "../scripts/collect.py"


rule export:
    """Target: every clip's trajectories in the formats of `trajectories.formats`."""
    input:
        exported,
    localrule: True


rule export_trajectories:
    """The trajectories in another format: robomimic's HDF5, Zarr."""
    input:
        trajectories="<task>/trajectories",
    output:
        exported="<task>/trajectories.hdf5",
        provenance="<task>/export_hdf5.provenance.json",
    log:
        "logs/{video}/{variant}/export_hdf5.log",
    conda:
        "../envs/export.yaml"
    params:
        code=code_digest("scripts/export.py"),
    script:
        "../scripts/export.py"


use rule export_trajectories as export_trajectories_zarr with:
    output:
        exported=directory("<task>/trajectories.zarr"),
        provenance="<task>/export_zarr.provenance.json",
    log:
        "logs/{video}/{variant}/export_zarr.log",


rule outcome:
    """What became of one clip: its policy's judgement, or the gate that rejected it."""
    input:
        scene="<clip>/scene.json",
        eval_json=if_passed("policy/eval.json"),
        rollout=if_passed("policy/rollout.mp4"),
        trajectories=trajectories_if_trained,
    output:
        outcome="<task>/outcome.json",
        provenance="<task>/outcome.provenance.json",
    log:
        "logs/{video}/{variant}/outcome.log",
    conda:
        "../envs/embedded.yaml"
    params:
        video=lambda wc: wc.video,
        variant=lambda wc: wc.variant,
        code=code_digest("scripts/outcome.py"),
    script:
        "../scripts/outcome.py"
