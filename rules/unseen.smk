# Requires: demonstrations (generalist.smk) and a task for each unseen clip.
# Gives: the paper's figures 5 and 6 and its table 2: image policies in scenes that they did not learn from.


rule figure5:
    """Target: the image policy, written programs, and the image policy that imitates those (section 4.2)."""
    input:
        multiext("results/tables/figure5", ".md", ".png"),
    localrule: True


rule figure6:
    """Target: success on unseen clips over the number of training clips (section 4.2)."""
    input:
        multiext("results/tables/figure6", ".md", ".png"),
    localrule: True


rule table2:
    """Target: image policies in simulation and on a simulated stand-in for the real robot (section 4.3)."""
    input:
        multiext("results/tables/table2", ".md", ".png"),
    localrule: True


rule clone_few:
    """Image policies from the demonstrations of the first so many training clips."""
    input:
        trajectories=learnt,
    output:
        policies=directory("<generalist>/scaling/{sample}/policies"),
        log_json="<generalist>/scaling/{sample}/log.json",
        provenance="<generalist>/scaling/{sample}/clone_few.provenance.json",
    log:
        "logs/generalist/clone_few_{sample}.log",
    conda:
        imitation_environment()
    params:
        preset=config["generalist"]["preset"],
        weights=config["generalist"]["weights"],
        hardware=config["generalist"]["hardware"],
        seed=config["generalist"]["seed"],
        seeds=config["generalist"]["seeds"],
        code=code_digest("scripts/clone.py"),
    script:
        "../scripts/clone.py"


use rule clone_few as clone_code with:
    input:
        trajectories=learnt_from_code,
    output:
        policies=directory("<generalist>/by_code/policies"),
        log_json="<generalist>/by_code/log.json",
        provenance="<generalist>/by_code/clone_code.provenance.json",
    log:
        "logs/generalist/clone_code.log",


use rule clone_few as clone_transfer with:
    input:
        trajectories=learnt_for_transfer,
    output:
        policies=directory("<generalist>/transfer/{variant}/policies"),
        log_json="<generalist>/transfer/{variant}/log.json",
        provenance="<generalist>/transfer/{variant}/clone_transfer.provenance.json",
    log:
        "logs/generalist/clone_{variant}.log",
    params:
        preset=transfer_preset,
        weights=config["generalist"]["weights"],
        hardware=config["generalist"]["hardware"],
        seed=config["generalist"]["seed"],
        seeds=config["generalist"]["seeds"],
        code=code_digest("scripts/clone.py"),


rule judge_few:
    """Judge the image policies of all training seeds in the unseen clips' scenes."""
    input:
        policies="<generalist>/scaling/{sample}/policies",
        scenes=tested("scene.json"),
        tasks=tested("{variant}/task/task.py"),
    output:
        eval_json="<generalist>/scaling/{sample}/eval.json",
        provenance="<generalist>/scaling/{sample}/judge_few.provenance.json",
    log:
        "logs/generalist/judge_few_{sample}.log",
    conda:
        imitation_environment()
    resources:
        gpu=engines.gpus(engines.judging(config["simulation"])),
    params:
        episodes=config["generalist"]["evaluation_episodes"],
        splits=SPLITS,
        simulation=config["simulation"],
        sandbox=SANDBOX,
        code=CLONE_JUDGING,
    script:
        "../scripts/judge_clones.py"


use rule judge_few as judge_code with:
    input:
        policies="<generalist>/by_code/policies",
        scenes=tested("scene.json"),
        tasks=tested("{variant}/task/task.py"),
    output:
        eval_json="<generalist>/by_code/eval.json",
        provenance="<generalist>/by_code/judge_code.provenance.json",
    log:
        "logs/generalist/judge_code.log",


use rule judge_few as judge_simulated with:
    input:
        policies="<generalist>/transfer/{variant}/policies",
        scenes=tested("scene.json"),
        tasks=tested("{variant}/task/task.py"),
    output:
        eval_json="<generalist>/transfer/{variant}/simulation.json",
        provenance="<generalist>/transfer/{variant}/judge_simulated.provenance.json",
    log:
        "logs/generalist/judge_simulated_{variant}.log",


use rule judge_few as judge_real with:
    input:
        policies="<generalist>/transfer/{variant}/policies",
        scenes=tested("scene.json"),
        tasks=tested("{variant}/task/task.py"),
    output:
        eval_json="<generalist>/transfer/{variant}/real.json",
        provenance="<generalist>/transfer/{variant}/judge_real.provenance.json",
    log:
        "logs/generalist/judge_real_{variant}.log",
    params:
        episodes=config["generalist"]["evaluation_episodes"],
        splits=SPLITS,
        simulation=config["simulation"],
        randomise=config["generalist"]["transfer"]["real"],
        served=True,
        sandbox=SANDBOX,
        code=CLONE_JUDGING,


rule tabulate_generalist:
    """The three beside each other, the paper's figures beside ours."""
    input:
        clones=f"<generalist>/scaling/{max(config['generalist']['scaling'])}/eval.json",
        by_code="<generalist>/by_code/eval.json",
        programs=tested(f"{paper.CODE}/policy/eval.json"),
    output:
        table="results/tables/figure5.csv",
        markdown="results/tables/figure5.md",
        figure="results/tables/figure5.png",
        provenance="results/tables/figure5.provenance.json",
    log:
        "logs/figure5.log",
    conda:
        "../envs/embedded.yaml"
    params:
        splits=SPLITS,
        code=code_digest("scripts/tabulate_generalist.py"),
    script:
        "../scripts/tabulate_generalist.py"


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


rule tabulate_transfer:
    """With and without masks, with and without randomised demonstrations, the paper's figures beside ours."""
    input:
        simulated=expand(
            "<generalist>/transfer/{variant}/simulation.json", variant=TRANSFERRED
        ),
        real=expand("<generalist>/transfer/{variant}/real.json", variant=TRANSFERRED),
    output:
        table="results/tables/table2.csv",
        markdown="results/tables/table2.md",
        figure="results/tables/table2.png",
        provenance="results/tables/table2.provenance.json",
    log:
        "logs/table2.log",
    conda:
        "../envs/embedded.yaml"
    params:
        policies=TRANSFERRED,
        code=code_digest("scripts/tabulate_transfer.py"),
    script:
        "../scripts/tabulate_transfer.py"
