"use strict";
// The clip's page: both films at once, and the scene in three dimensions. World frame: metres, z up.
(() => {
  const films = [...document.querySelectorAll("video")];
  const both = document.getElementById("play-both");
  if (both && films.length > 1) {
    both.hidden = false;
    both.addEventListener("click", () => {
      const start = films.some((film) => film.paused);
      for (const film of films) {
        if (start) { film.currentTime = 0; film.play(); } else film.pause();
      }
    });
  }

  const canvas = document.getElementById("viewer");
  if (!canvas) return;
  const note = document.getElementById("viewer-note");
  let renderer;
  try {
    renderer = new THREE.WebGLRenderer({ canvas, antialias: true, preserveDrawingBuffer: true });
  } catch (error) {
    note.textContent = "This browser draws no 3-D graphics (WebGL); the drawings below show the same scene.";
    return;
  }
  const data = JSON.parse(document.getElementById("scene-data").textContent);
  const palette = [0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xb8960b, 0x56b4e9];
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const scene = new THREE.Scene();
  scene.background = new THREE.Color(dark ? 0x1d2329 : 0xf6f7f9);
  scene.add(new THREE.HemisphereLight(0xffffff, 0x998877, 0.75));
  const sun = new THREE.DirectionalLight(0xffffff, 0.55);
  sun.position.set(-1, 1, 2);
  scene.add(sun);
  const grid = new THREE.GridHelper(1.2, 24, dark ? 0x5b6670 : 0x9aa6b1, dark ? 0x36404a : 0xd8dde3);
  grid.rotation.x = Math.PI / 2;
  scene.add(grid);
  const base = new THREE.Mesh(
    new THREE.CylinderGeometry(0.07, 0.09, 0.1, 24), new THREE.MeshLambertMaterial({ color: 0x8a949e }));
  base.rotation.x = Math.PI / 2;
  base.position.set(-0.55, 0, 0.05);
  scene.add(base);

  const shown = data.objects.map((object, index) => {
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute("position", new THREE.Float32BufferAttribute(object.vertices, 3));
    geometry.setIndex(object.faces);
    const painted = object.colours.length > 0;
    if (painted) {
      geometry.setAttribute("color", new THREE.Float32BufferAttribute(object.colours.map((c) => c / 255), 3));
    }
    const flat = geometry.toNonIndexed();
    flat.computeVertexNormals();
    const colour = palette[index % palette.length];
    const mesh = new THREE.Mesh(flat, new THREE.MeshLambertMaterial(
      { color: painted ? 0xffffff : colour, vertexColors: painted, side: THREE.DoubleSide }));
    mesh.matrixAutoUpdate = false;
    scene.add(mesh);
    const known = object.poses.filter((pose) => pose);
    const way = known.map((pose) => new THREE.Vector3(pose[12], pose[13], pose[14]));
    scene.add(new THREE.Line(
      new THREE.BufferGeometry().setFromPoints(way), new THREE.LineBasicMaterial({ color: colour })));
    return { mesh, poses: object.poses, way };
  });

  // The camera circles around the middle of what moves: z is up, no roll.
  const camera = new THREE.PerspectiveCamera(40, 1, 0.01, 20);
  camera.up.set(0, 0, 1);
  const box = new THREE.Box3().setFromPoints(shown.flatMap((one) => one.way));
  const middle = box.getCenter(new THREE.Vector3());
  const reach = Math.max(0.35, 1.6 * box.getSize(new THREE.Vector3()).length());
  const views = {
    camera: [Math.PI, 0.6, 1.4], above: [Math.PI, 1.55, 1.6], side: [Math.PI / 2 * 3, 0.25, 1.4],
  };
  let [azimuth, height, distance] = views.camera;

  const slider = document.getElementById("viewer-frame");
  const frames = Math.max(...data.objects.map((object) => object.poses.length));
  slider.max = frames - 1;

  const draw = () => {
    const width = canvas.clientWidth, tall = canvas.clientHeight;
    if (!width) return;
    renderer.setPixelRatio(devicePixelRatio);
    renderer.setSize(width, tall, false);
    camera.aspect = width / tall;
    camera.updateProjectionMatrix();
    const far = reach * distance;
    camera.position.set(
      middle.x + far * Math.cos(height) * Math.cos(azimuth),
      middle.y + far * Math.cos(height) * Math.sin(azimuth),
      middle.z + far * Math.sin(height));
    camera.lookAt(middle);
    const frame = Number(slider.value);
    for (const { mesh, poses } of shown) {
      let last = Math.min(frame, poses.length - 1);
      while (last > 0 && !poses[last]) last -= 1;  // a frame without a pose keeps the one before
      const pose = poses[last] || poses.find((one) => one);
      mesh.visible = Boolean(pose);
      if (pose) { mesh.matrix.fromArray(pose); mesh.matrixWorldNeedsUpdate = true; }
    }
    renderer.render(scene, camera);
    document.getElementById("viewer-time").textContent = `frame ${frame} of ${frames - 1}`;
  };
  const turn = (sideways, up, zoom = 1) => {
    azimuth += sideways;
    height = Math.min(1.55, Math.max(-0.2, height + up));
    distance = Math.min(6, Math.max(0.3, distance * zoom));
    draw();
  };

  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    held = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    turn((held[0] - event.clientX) * 0.01, (event.clientY - held[1]) * 0.01);
    held = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { held = null; });
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas) return;  // else the page scrolls
    event.preventDefault();
    turn(0, 0, Math.exp(event.deltaY * 0.001));
  }, { passive: false });
  const keys = {
    ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1],
    "+": [0, 0, 0.9], "-": [0, 0, 1.1],
  };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    turn(...keys[event.key]);
  });
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => {
      [azimuth, height, distance] = views[button.dataset.view];
      draw();
    });
  }
  slider.addEventListener("input", draw);
  const play = document.getElementById("viewer-play");
  let timer = null;
  play.addEventListener("click", () => {
    if (timer) {
      clearInterval(timer);
      timer = null;
    } else {
      timer = setInterval(() => {
        slider.value = (Number(slider.value) + 1) % frames;
        draw();
      }, 1000 / data.fps);
    }
    play.textContent = timer ? "Pause" : "Play";
  });
  new ResizeObserver(draw).observe(canvas);
  document.getElementById("viewer-controls").hidden = false;
  draw();
})();
