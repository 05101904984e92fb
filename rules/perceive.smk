# Requires: ROWS (rules/common.smk) and the clips it names.
# Gives, for every clip: frames, objects, masks, camera and depth, meshes, sizes, tracks, collision pieces.
# Each rule writes a verdict; the rules behind a rejected clip's stage mark their outputs instead of computing.


rule demo_clip:
    """Render a clip of the demo, with its ground truth beside it."""
    output:
        clip="results/demo/{video}.mp4",
        truth="results/demo/{video}.npz",
        provenance="results/demo/{video}.provenance.json",
    log:
        "logs/{video}/demo_clip.log",
    conda:
        "../envs/embedded.yaml"
    params:
        name=lambda wc: wc.video,
        code=code_digest("scripts/demo_clip.py"),
    script:
        "../scripts/demo_clip.py"


rule frames:
    """Decode the clip and check its quality (paper, section 4: long side 1024)."""
    input:
        clip=lambda wc: str(ROWS[wc.video].clip),
    output:
        frames=directory("<clip>/frames"),
        clip_json="<clip>/clip.json",
        verdict="<clip>/frames.verdict.json",
        provenance="<clip>/frames.provenance.json",
    log:
        "logs/{video}/frames.log",
    conda:
        "../envs/embedded.yaml"
    params:
        row=row("video", "caption"),
        settings=config["frames"],
        accept=accepted,
        code=code_digest("scripts/frames.py"),
    script:
        "../scripts/frames.py"


rule ground:
    """Find each named object in one frame: the sheet's boxes and points, else by name."""
    input:
        gates="<clip>/frames.verdict.json",
        frames="<clip>/frames",
        clip_json="<clip>/clip.json",
        weights=detector,
        given=given_masks,
    output:
        objects_json="<clip>/objects.json",
        overlay="<clip>/objects.png",
        verdict="<clip>/ground.verdict.json",
        provenance="<clip>/ground.provenance.json",
    log:
        "logs/{video}/ground.log",
    conda:
        f"../envs/{models.environment(config['perception'], 'ground')}"
    resources:
        gpu=models.gpus(config["perception"], "ground"),
    params:
        row=row("objects", "labels", "boxes", "points", "masks", "roles", "family"),
        backend=models.backend(config["perception"], "ground"),
        code=code_digest(
            "scripts/ground.py", *models.module(config["perception"], "ground")
        ),
    script:
        "../scripts/ground.py"


rule segment:
    """One mask per frame for one object."""
    input:
        gates="<clip>/ground.verdict.json",
        frames="<clip>/frames",
        clip_json="<clip>/clip.json",
        objects_json="<clip>/objects.json",
        given=given_masks,
    output:
        masks="<clip>/masks/{obj}.npz",
        overlay="<clip>/masks/{obj}.png",
        verdict="<clip>/masks/{obj}.verdict.json",
        provenance="<clip>/masks/{obj}.provenance.json",
    log:
        "logs/{video}/segment/{obj}.log",
    conda:
        f"../envs/{models.environment(config['perception'], 'segment')}"
    resources:
        gpu=models.gpus(config["perception"], "segment"),
    params:
        obj=lambda wc: wc.obj,
        backend=models.backend(config["perception"], "segment"),
        accept=accepted,
        code=code_digest(
            "scripts/segment.py", *models.module(config["perception"], "segment")
        ),
    script:
        "../scripts/segment.py"


rule hands:
    """Hand landmarks in every frame, in pixels and metres."""
    input:
        gates="<clip>/frames.verdict.json",
        frames="<clip>/frames",
        clip_json="<clip>/clip.json",
    output:
        hands_json="<clip>/hands.json",
        verdict="<clip>/hands.verdict.json",
        provenance="<clip>/hands.provenance.json",
    log:
        "logs/{video}/hands.log",
    conda:
        "../envs/hands.yaml"
    params:
        code=code_digest("scripts/hands.py"),
    script:
        "../scripts/hands.py"


rule depth:
    """Intrinsics, the camera's orientation over the table, and a depth image for every frame."""
    input:
        gates=per_object("masks/{obj}.verdict.json"),
        frames="<clip>/frames",
        clip_json="<clip>/clip.json",
        masks=per_object("masks/{obj}.npz"),
    output:
        camera_json="<clip>/camera.json",
        depth=directory("<clip>/depth"),
        verdict="<clip>/depth.verdict.json",
        provenance="<clip>/depth.provenance.json",
    log:
        "logs/{video}/depth.log",
    conda:
        f"../envs/{models.environment(config['perception'], 'depth')}"
    resources:
        gpu=models.gpus(config["perception"], "depth"),
    params:
        row=row("objects", "labels", "camera"),
        backend=models.backend(config["perception"], "depth"),
        code=code_digest(
            "scripts/depth.py", *models.module(config["perception"], "depth")
        ),
    script:
        "../scripts/depth.py"


rule reconstruct:
    """A mesh of unit length from the least occluded frame."""
    input:
        gates="<clip>/depth.verdict.json",
        frames="<clip>/frames",
        masks=per_object("masks/{obj}.npz"),
        camera_json="<clip>/camera.json",
        clip_json="<clip>/clip.json",
        given=given_mesh,
    output:
        mesh="<clip>/objects/{obj}/mesh.obj",
        mesh_json="<clip>/objects/{obj}/mesh.json",
        overlay="<clip>/objects/{obj}/mesh.png",
        verdict="<clip>/objects/{obj}/reconstruct.verdict.json",
        provenance="<clip>/objects/{obj}/reconstruct.provenance.json",
    log:
        "logs/{video}/reconstruct/{obj}.log",
    conda:
        f"../envs/{models.environment(config['perception'], 'reconstruct')}"
    resources:
        gpu=models.gpus(config["perception"], "reconstruct"),
    params:
        obj=lambda wc: wc.obj,
        row=row("objects", "labels", "family", "roles", "shapes"),
        sides=proportions,
        backend=models.backend(config["perception"], "reconstruct"),
        code=code_digest(
            "scripts/reconstruct.py",
            *models.module(config["perception"], "reconstruct"),
        ),
    script:
        "../scripts/reconstruct.py"


rule scale:
    """The object's size in metres (paper, section 3.1; given sizes win)."""
    input:
        gates=per_object("objects/{obj}/reconstruct.verdict.json"),
        masks=per_object("masks/{obj}.npz"),
        meshes=per_object("objects/{obj}/mesh.obj"),
        mesh_jsons=per_object("objects/{obj}/mesh.json"),
        camera_json="<clip>/camera.json",
        depth="<clip>/depth",
        hands_json=hands_if_wanted,
    output:
        size_json="<clip>/objects/{obj}/size.json",
        verdict="<clip>/objects/{obj}/scale.verdict.json",
        provenance="<clip>/objects/{obj}/scale.provenance.json",
    log:
        "logs/{video}/scale/{obj}.log",
    conda:
        "../envs/embedded.yaml"
    params:
        obj=lambda wc: wc.obj,
        row=row("objects", "labels", "sizes"),
        most_uncertain=config["perception"]["size_uncertainty"],
        accept=accepted,
        code=code_digest("scripts/scale.py"),
    script:
        "../scripts/scale.py"


rule track:
    """The object's 6D pose in every frame."""
    input:
        gates="<clip>/objects/{obj}/scale.verdict.json",
        frames="<clip>/frames",
        masks=per_object("masks/{obj}.npz"),
        camera_json="<clip>/camera.json",
        depth="<clip>/depth",
        mesh="<clip>/objects/{obj}/mesh.obj",
        mesh_json="<clip>/objects/{obj}/mesh.json",
        size_json="<clip>/objects/{obj}/size.json",
    output:
        poses_json="<clip>/objects/{obj}/poses.json",
        overlay="<clip>/objects/{obj}/track.png",
        verdict="<clip>/objects/{obj}/track.verdict.json",
        provenance="<clip>/objects/{obj}/track.provenance.json",
    log:
        "logs/{video}/track/{obj}.log",
    conda:
        f"../envs/{models.environment(config['perception'], 'track')}"
    resources:
        gpu=models.gpus(config["perception"], "track"),
    params:
        obj=lambda wc: wc.obj,
        row=row("objects"),
        backend=models.backend(config["perception"], "track"),
        accept=accepted,
        code=code_digest(
            "scripts/track.py", *models.module(config["perception"], "track")
        ),
    script:
        "../scripts/track.py"


rule collide:
    """Convex pieces, mass, inertia, resting pose and URDF."""
    input:
        gates="<clip>/objects/{obj}/scale.verdict.json",
        mesh="<clip>/objects/{obj}/mesh.obj",
        mesh_json="<clip>/objects/{obj}/mesh.json",
        size_json="<clip>/objects/{obj}/size.json",
    output:
        collision=directory("<clip>/objects/{obj}/collision"),
        urdf="<clip>/objects/{obj}/object.urdf",
        rest_json="<clip>/objects/{obj}/rest.json",
        verdict="<clip>/objects/{obj}/collide.verdict.json",
        provenance="<clip>/objects/{obj}/collide.provenance.json",
    log:
        "logs/{video}/collide/{obj}.log",
    conda:
        "../envs/embedded.yaml"
    params:
        obj=lambda wc: wc.obj,
        row=row("shapes"),
        code=code_digest("scripts/collide.py"),
    script:
        "../scripts/collide.py"
