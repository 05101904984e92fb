# Requires: verdicts, depth and sizes of every clip, and the truth beside those that have one.
# Gives: the paper's tables on perception (its appendix), its figures beside ours.


rule table4:
    """How often each stage of perception fails, and how many clips pass them all."""
    input:
        "results/tables/table4.md",
    localrule: True


rule table5:
    """How exact the depth is, where the truth is known."""
    input:
        "results/tables/table5.md",
    localrule: True


rule table6:
    """How exact the sizes are, where the truth is known."""
    input:
        "results/tables/table6.md",
    localrule: True


rule tabulate_failures:
    """The share of clips and objects that each gate refuses (paper, table 4)."""
    input:
        verdicts=of_every_clip(every_gate),
        captions=expand("results/videos/{video}/caption.verdict.json", video=ROWS),
    output:
        table="results/tables/table4.csv",
        markdown="results/tables/table4.md",
        provenance="results/tables/table4.provenance.json",
    log:
        "logs/table4.log",
    conda:
        "../envs/embedded.yaml"
    params:
        code=code_digest("scripts/tabulate_failures.py"),
    script:
        "../scripts/tabulate_failures.py"


rule tabulate_depth:
    """The share of pixels whose depth is within a tenth of the truth (paper, table 5)."""
    input:
        clip_jsons=expand("results/videos/{video}/clip.json", video=ROWS),
        depths=expand("results/videos/{video}/depth", video=ROWS),
        sizes=of_every_clip(per_object("objects/{obj}/size.json")),
        verdicts=of_every_clip(every_gate),
        truths=of_every_clip(truth),
    output:
        table="results/tables/table5.csv",
        markdown="results/tables/table5.md",
        provenance="results/tables/table5.provenance.json",
    log:
        "logs/table5.log",
    conda:
        "../envs/embedded.yaml"
    params:
        rows={r.video: r.to_dict() for r in ROWS.values()},
        code=code_digest("scripts/tabulate_depth.py"),
    script:
        "../scripts/tabulate_depth.py"


rule tabulate_sizes:
    """Sizes of objects beside the true ones (paper, table 6)."""
    input:
        sizes=of_every_clip(per_object("objects/{obj}/size.json")),
        meshes=of_every_clip(per_object("objects/{obj}/mesh.obj")),
        verdicts=of_every_clip(every_gate),
        truths=of_every_clip(truth),
    output:
        table="results/tables/table6.csv",
        markdown="results/tables/table6.md",
        provenance="results/tables/table6.provenance.json",
    log:
        "logs/table6.log",
    conda:
        "../envs/embedded.yaml"
    params:
        rows={r.video: r.to_dict() for r in ROWS.values()},
        code=code_digest("scripts/tabulate_sizes.py"),
    script:
        "../scripts/tabulate_sizes.py"


rule true_size:
    """How policies fare at the objects' true sizes, where the truth is known."""
    input:
        multiext("results/tables/true_size", ".md", ".png"),
    localrule: True


rule judge_true_size:
    """The trained policies in their scene, with the objects' true sizes (paper, beside table 6)."""
    input:
        scene="<clip>/scene.json",
        task="<task>/task/task.py",
        seeds="<task>/policy/seeds",
        truth=truth,
    output:
        eval_json="<task>/policy/true_size.json",
        provenance="<task>/policy/judge_true_size.provenance.json",
    log:
        "logs/{video}/{variant}/judge_true_size.log",
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
        code=judging_code("scripts/judge_true_size.py"),
    script:
        "../scripts/judge_true_size.py"


rule tabulate_true_size:
    """Judged success at the sizes that were found and at the true ones, the paper's beside ours."""
    input:
        found=with_truth("results/videos/{video}/{variant}/policy/eval.json"),
        true=with_truth("results/videos/{video}/{variant}/policy/true_size.json"),
    output:
        table="results/tables/true_size.csv",
        markdown="results/tables/true_size.md",
        figure="results/tables/true_size.png",
        provenance="results/tables/true_size.provenance.json",
    log:
        "logs/true_size.log",
    conda:
        "../envs/embedded.yaml"
    params:
        splits=SPLITS,
        code=code_digest("scripts/tabulate_true_size.py"),
    script:
        "../scripts/tabulate_true_size.py"


# Requires: the judgement of several variants on the sheet's clips (`comparisons` in config.yaml).
# Gives: the paper's tables and figures on them, its numbers beside ours.


rule table1:
    """Success of Code-as-Policies, RoboGen, Eureka and Video2Policy."""
    input:
        "results/tables/table1.md",
    localrule: True


rule table3:
    """What visual information, picking, rounds and samples add."""
    input:
        "results/tables/table3.md",
    localrule: True


rule table7:
    """What the poses in the prompt add."""
    input:
        "results/tables/table7.md",
    localrule: True


rule table8:
    """How much picking helps against programs that do not run or never succeed; language models only."""
    input:
        "results/tables/table8.md",
    localrule: True


rule table9:
    """The baselines with their own reset function and with Video2Policy's."""
    input:
        "results/tables/table9.md",
    localrule: True


rule figure4:
    """Judged success after each round of reward search."""
    input:
        "results/tables/figure4.md",
    localrule: True


rule figure10:
    """Generated success against the judges', over all policies of all rounds."""
    input:
        "results/tables/figure10.md",
    localrule: True


rule tabulate_comparison:
    """Variants side by side over the sheet's clips, by task (paper, table 1)."""
    input:
        scenes=expand("results/videos/{video}/scene.json", video=ROWS),
        evals=compared(paper.COMPARISONS["table1"].variants),
    output:
        table="results/tables/table1.csv",
        markdown="results/tables/table1.md",
        figure="results/tables/table1.png",
        provenance="results/tables/table1.provenance.json",
    log:
        "logs/table1.log",
    conda:
        "../envs/embedded.yaml"
    params:
        name="table1",
        budgets=budgets(paper.COMPARISONS["table1"].variants),
        code=code_digest("scripts/tabulate_comparison.py"),
    script:
        "../scripts/tabulate_comparison.py"


use rule tabulate_comparison as tabulate_table3 with:
    input:
        scenes=expand("results/videos/{video}/scene.json", video=ROWS),
        evals=compared(paper.COMPARISONS["table3"].variants),
    output:
        table="results/tables/table3.csv",
        markdown="results/tables/table3.md",
        figure="results/tables/table3.png",
        provenance="results/tables/table3.provenance.json",
    log:
        "logs/table3.log",
    params:
        name="table3",
        budgets=budgets(paper.COMPARISONS["table3"].variants),
        code=code_digest("scripts/tabulate_comparison.py"),


use rule tabulate_comparison as tabulate_table7 with:
    input:
        scenes=expand("results/videos/{video}/scene.json", video=ROWS),
        evals=compared(paper.COMPARISONS["table7"].variants),
    output:
        table="results/tables/table7.csv",
        markdown="results/tables/table7.md",
        figure="results/tables/table7.png",
        provenance="results/tables/table7.provenance.json",
    log:
        "logs/table7.log",
    params:
        name="table7",
        budgets=budgets(paper.COMPARISONS["table7"].variants),
        code=code_digest("scripts/tabulate_comparison.py"),


use rule tabulate_comparison as tabulate_table9 with:
    input:
        scenes=expand("results/videos/{video}/scene.json", video=ROWS),
        evals=compared(paper.COMPARISONS["table9"].variants),
    output:
        table="results/tables/table9.csv",
        markdown="results/tables/table9.md",
        figure="results/tables/table9.png",
        provenance="results/tables/table9.provenance.json",
    log:
        "logs/table9.log",
    params:
        name="table9",
        budgets=budgets(paper.COMPARISONS["table9"].variants),
        code=code_digest("scripts/tabulate_comparison.py"),


rule tabulate_rounds:
    """Judged success of the best reward after each round (paper, figure 4)."""
    input:
        judged=judged_rounds(paper.FIGURE4),
    output:
        table="results/tables/figure4.csv",
        markdown="results/tables/figure4.md",
        figure="results/tables/figure4.png",
        provenance="results/tables/figure4.provenance.json",
    log:
        "logs/figure4.log",
    conda:
        "../envs/embedded.yaml"
    params:
        variants=list(paper.FIGURE4),
        budgets=budgets(paper.FIGURE4),
        code=code_digest("scripts/tabulate_rounds.py"),
    script:
        "../scripts/tabulate_rounds.py"


rule correlate_success:
    """Generated success against the judges' (paper, figure 10)."""
    input:
        judged=judged_rounds(paper.FIGURE10),
    output:
        table="results/tables/figure10.csv",
        markdown="results/tables/figure10.md",
        figure="results/tables/figure10.png",
        provenance="results/tables/figure10.provenance.json",
    log:
        "logs/figure10.log",
    conda:
        "../envs/embedded.yaml"
    params:
        variants=list(paper.FIGURE10),
        code=code_digest("scripts/correlate_success.py"),
    script:
        "../scripts/correlate_success.py"


rule tabulate_hallucination:
    """Programs that do not run or never succeed, without picking and picked (paper, table 8)."""
    input:
        unpack(hallucinated),
    output:
        table="results/tables/table8.csv",
        markdown="results/tables/table8.md",
        provenance="results/tables/table8.provenance.json",
    log:
        "logs/table8.log",
    conda:
        "../envs/embedded.yaml"
    params:
        code=code_digest("scripts/tabulate_hallucination.py"),
    script:
        "../scripts/tabulate_hallucination.py"
