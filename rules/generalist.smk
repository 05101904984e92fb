# Requires: trained policies of the sheet's clips. Gives: results/generalist/{name}, one image policy over all clips.


rule generalist:
    """Target: the behaviour-cloned image policy and its evaluation (paper, section 4.2)."""
    input:
        "<generalist>/eval.json",
        "<generalist>/eval.png",
    localrule: True


rule collect_demonstrations:
    """Judged successes for imitation, as the imitation preset wants them."""
    input:
        scene="<clip>/scene.json",
        task="<task>/task/task.py",
        policy="<task>/policy/policy.safetensors",
    output:
        trajectories=directory("<task>/demonstrations"),
        provenance="<task>/collect_demonstrations.provenance.json",
    log:
        "logs/{video}/{variant}/collect_demonstrations.log",
    conda:
        judging_environment
    resources:
        gpu=judging_gpus,
    params:
        collection=setting("generalist", "preset", "episodes"),
        simulation=setting("simulation"),
        sandbox=SANDBOX,
        code=judging_code("scripts/collect.py"),
    script:
        "../scripts/collect.py"


rule train_bc:
    """Behaviour cloning from the images of all clips' demonstrations, and an image-blind copy of it."""
    input:
        trajectories=learnt,
    output:
        policy="<generalist>/policy.safetensors",
        blind="<generalist>/blind.safetensors",
        log_json="<generalist>/log.json",
        provenance="<generalist>/train_bc.provenance.json",
    log:
        "logs/generalist/train_bc.log",
    conda:
        imitation_environment()
    params:
        preset=config["generalist"]["preset"],
        weights=config["generalist"]["weights"],
        seed=config["generalist"]["seed"],
        code=code_digest("scripts/train_bc.py"),
    script:
        "../scripts/train_bc.py"


rule evaluate_bc:
    """Judge the image policy and its blind copy in every clip's scene."""
    input:
        policy="<generalist>/policy.safetensors",
        blind="<generalist>/blind.safetensors",
        scenes=finished("results/videos/{video}/scene.json"),
        tasks=finished("results/videos/{video}/{variant}/task/task.py"),
    output:
        eval_json="<generalist>/eval.json",
        figure="<generalist>/eval.png",
        provenance="<generalist>/evaluate_bc.provenance.json",
    log:
        "logs/generalist/evaluate_bc.log",
    conda:
        imitation_environment()
    resources:
        gpu=engines.gpus(engines.judging(config["simulation"])),
    params:
        episodes=config["generalist"]["evaluation_episodes"],
        splits={row.video: row.split or "train" for row in ROWS.values()},
        simulation=config["simulation"],
        sandbox=SANDBOX,
        code=code_digest(
            "scripts/evaluate_bc.py",
            engines.module(engines.judging(config["simulation"])),
        ),
    script:
        "../scripts/evaluate_bc.py"


rule figure6:
    """Target: success on unseen clips over the number of training clips (paper, section 4.2)."""
    input:
        "results/tables/figure6.md",
        "results/tables/figure6.png",
    localrule: True


use rule train_bc as train_bc_on_few with:
    output:
        policy="<generalist>/scaling/{sample}/policy.safetensors",
        blind="<generalist>/scaling/{sample}/blind.safetensors",
        log_json="<generalist>/scaling/{sample}/log.json",
        provenance="<generalist>/scaling/{sample}/train_bc.provenance.json",
    log:
        "logs/generalist/train_bc_{sample}.log",


use rule evaluate_bc as evaluate_bc_on_few with:
    input:
        policy="<generalist>/scaling/{sample}/policy.safetensors",
        blind="<generalist>/scaling/{sample}/blind.safetensors",
        scenes=finished("results/videos/{video}/scene.json"),
        tasks=finished("results/videos/{video}/{variant}/task/task.py"),
    output:
        eval_json="<generalist>/scaling/{sample}/eval.json",
        figure="<generalist>/scaling/{sample}/eval.png",
        provenance="<generalist>/scaling/{sample}/evaluate_bc.provenance.json",
    log:
        "logs/generalist/evaluate_bc_{sample}.log",


rule tabulate_scaling:
    """The scaling curve, the paper's end of it beside ours."""
    input:
        evals=expand(
            "<generalist>/scaling/{sample}/eval.json",
            sample=config["generalist"]["scaling"],
        ),
    output:
        table="results/tables/figure6.csv",
        markdown="results/tables/figure6.md",
        figure="results/tables/figure6.png",
        provenance="results/tables/figure6.provenance.json",
    log:
        "logs/figure6.log",
    conda:
        "../envs/embedded.yaml"
    params:
        counts=config["generalist"]["scaling"],
        code=code_digest("scripts/tabulate_scaling.py"),
    script:
        "../scripts/tabulate_scaling.py"
