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
