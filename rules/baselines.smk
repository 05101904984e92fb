# Requires: scene.json, and a task for its resets. Gives: the judgement of what is no policy trained for one reward:
# programs that act (Code-as-Policies), every policy of a round of reward search, and trainings of unpicked tasks.


ruleorder: act_by_code > evaluate


rule act_by_code:
    """Programs act, rewritten every 50 steps from the states of each episode; judged as policies are."""
    input:
        scene="<clip>/scene.json",
        task=shared_task,
    output:
        programs=directory("<by_code>/policy/programs"),
        eval_json="<by_code>/policy/eval.json",
        rollout="<by_code>/policy/rollout.mp4",
        provenance="<by_code>/policy/act_by_code.provenance.json",
    log:
        "logs/{video}/{variant}/act_by_code.log",
    conda:
        judging_environment
    resources:
        gpu=judging_gpus,
        mem_mb=2500,
    params:
        video=lambda wc: wc.video,
        variant=lambda wc: wc.variant,
        author=author,
        evaluation=setting("evaluation"),
        simulation=setting("simulation"),
        sandbox=SANDBOX,
        code=judging_code("scripts/act_by_code.py"),
    script:
        "../scripts/act_by_code.py"


rule judge_round:
    """Judge every policy of one round of reward search; for figures 4 and 10, and read by nothing else."""
    input:
        scene="<clip>/scene.json",
        task="<task>/task/task.py",
        best="<round>/best",
        searches=samples_of_round("search.json"),
        policies=samples_of_round("policy.safetensors"),
    output:
        judged="<round>/judged.json",
        provenance="<round>/judge_round.provenance.json",
    log:
        "logs/{video}/{variant}/judge_round/{iter}.log",
    conda:
        judging_environment
    resources:
        gpu=judging_gpus,
        mem_mb=2500,
    params:
        video=lambda wc: wc.video,
        variant=lambda wc: wc.variant,
        iteration=lambda wc: int(wc.iter),
        evaluation=setting("evaluation"),
        simulation=setting("simulation"),
        sandbox=SANDBOX,
        code=judging_code("scripts/judge_round.py"),
    script:
        "../scripts/judge_round.py"


use rule train_reward as train_candidate with:
    input:
        unpack(skill_if_taught),
        scene="<clip>/scene.json",
        task="<task>/task/candidate_{sample}.py",
        reward="<task>/task/candidate_{sample}.py",
    output:
        policy="<task>/task/candidate_{sample}/policy.safetensors",
        log_csv="<task>/task/candidate_{sample}/log.csv",
        search="<task>/task/candidate_{sample}/search.json",
        provenance="<task>/task/candidate_{sample}/train_candidate.provenance.json",
    log:
        "logs/{video}/{variant}/train_candidate/{sample}.log",
    params:
        sees=author_setting("sees"),
        simulation=setting("simulation"),
        training=training("legs"),
        sandbox=SANDBOX,
        code=engine_code("scripts/train_reward.py"),
