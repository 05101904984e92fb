# Requires: every clip's outcome. Gives: the report and the summary tables.


rule report:
    """One self-contained page on all clips."""
    input:
        outcomes=expand(
            "results/videos/{video}/{variant}/outcome.json",
            video=ROWS,
            variant=VARIANTS,
        ),
    output:
        report="results/report.html",
        provenance="results/report.provenance.json",
    log:
        "logs/report.log",
    conda:
        "../envs/embedded.yaml"
    params:
        results=lambda wc, output: str(Path(output.report).parent),
        videos=[r.to_dict() for r in ROWS.values()],
        variant=VARIANTS[0],
        clip_pixels=config["report"]["clip_pixels"],
        code=code_digest("scripts/report.py"),
    script:
        "../scripts/report.py"


rule summarise:
    """The success of every clip in one table; fails where no clip reached a policy."""
    input:
        report="results/report.html",
        outcomes=expand(
            "results/videos/{video}/{variant}/outcome.json",
            video=ROWS,
            variant=VARIANTS,
        ),
    output:
        table="results/tables/summary.csv",
        markdown="results/tables/summary.md",
        provenance="results/tables/summary.provenance.json",
    log:
        "logs/summarise.log",
    conda:
        "../envs/embedded.yaml"
    params:
        code=code_digest("scripts/summarise.py"),
    script:
        "../scripts/summarise.py"
