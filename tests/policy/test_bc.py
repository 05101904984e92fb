"""Cloning on a small synthetic task: the action points from the tool to a dot that only the image shows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from video2policy import task
from video2policy.policy.bc import (
    PRESETS,
    PROPRIOCEPTION,
    Agent,
    BCError,
    Config,
    Demonstrations,
    ImagePolicy,
    mask_pictures,
    proprioception,
    resample,
)
from video2policy.policy.cloning import Frames, Hardware, train

SIZE = 32
CONFIG = Config(("front",), SIZE, channels=(16, 16), hidden=(128, 128), epochs=12, batch_size=64, shift=0)


def scene(dot: np.ndarray) -> np.ndarray:
    """A red square at `dot` (x, y) in [-.8, .8] on grey, (SIZE, SIZE, 3)."""
    image = np.full((SIZE, SIZE, 3), 120, np.uint8)
    column, row = ((dot + 1) / 2 * (SIZE - 1)).round().astype(int)
    image[row - 2 : row + 3, column - 2 : column + 3] = (230, 20, 20)
    return image


def episodes(count: int, seed: int, length: int = 10) -> list:
    rng = np.random.default_rng(seed)
    out = []
    for k in range(count):
        dot, tool = rng.uniform(-0.8, 0.8, (2, 2))
        state = np.zeros((length, 14), np.float32)
        state[:, :2] = tool + rng.normal(0, 0.05, (length, 2))
        action = np.zeros((length, 7), np.float32)
        action[:, :2] = 0.5 * (dot - state[:, :2])
        action[:, 6] = (1, -1)[k % 2]  # only the behaviour says which
        images = {"front": np.repeat(scene(dot)[None], length, 0)}
        out.append((("lift", "push_left")[k % 2], images, state, action))
    return out


def error(policy: ImagePolicy, held_out: list) -> tuple[float, float]:
    """Mean distance of the action from the right one: in the plane, and of the gripper."""
    plane, gripper = [], []
    for behaviour, images, state, action in held_out:
        agent = Agent(policy, behaviour)
        predicted = np.stack(
            [
                agent.act({"front": images["front"][t : t + 1]}, torch.from_numpy(state[t : t + 1]))[
                    0
                ].numpy()
                for t in range(len(action))
            ]
        )
        plane.append(np.abs(predicted - action)[:, :2].mean())
        gripper.append(np.abs(predicted - action)[:, 6].mean())
    return float(np.mean(plane)), float(np.mean(gripper))


@pytest.fixture(scope="module")
def trained() -> tuple[ImagePolicy, ImagePolicy]:
    torch.set_num_threads(1)
    data = Demonstrations.stack(episodes(150, seed=0), CONFIG)
    return train(data, CONFIG)[0], train(data, replace(CONFIG, image_blind=True))[0]


def test_sight_is_what_the_policy_learns_from(trained):
    seeing, blind = trained
    held_out = episodes(20, seed=1)
    assert error(seeing, held_out)[0] < 0.06
    assert error(blind, held_out)[0] > 0.15
    # Both are told the behaviour.
    assert error(seeing, held_out)[1] < 0.1 and error(blind, held_out)[1] < 0.1


def test_a_blind_policy_does_not_depend_on_its_images(trained):
    _, blind = trained
    state = torch.zeros(1, 14)
    black, white = (np.full((1, SIZE, SIZE, 3), shade, np.uint8) for shade in (0, 255))
    actions = [Agent(blind, "lift").act({"front": image}, state) for image in (black, white)]
    assert torch.equal(*actions)


def test_a_saved_policy_acts_the_same(tmp_path, trained):
    seeing, _ = trained
    seeing.save(tmp_path / "policy.safetensors")
    again = ImagePolicy.load(tmp_path / "policy.safetensors")
    _, images, state, _ = episodes(1, seed=3)[0]
    arguments = {"front": images["front"]}, torch.from_numpy(state)
    assert again.config == seeing.config
    assert torch.equal(Agent(again, "lift").act(*arguments), Agent(seeing, "lift").act(*arguments))


def test_the_same_seed_gives_the_same_policy():
    data, short = Demonstrations.stack(episodes(10, seed=0), CONFIG), replace(CONFIG, epochs=2, shift=2)
    first, second, other = (train(data, replace(short, seed=seed))[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_the_agent_sees_the_frame_before_and_forgets_it_at_a_reset(trained):
    seeing, _ = trained
    images = [scene(np.array([x, 0.0]))[None] for x in (-0.5, 0.5)]
    state = torch.zeros(1, 14)
    agent = Agent(seeing, "lift")
    fresh = agent.act({"front": images[1]}, state)
    agent.reset()
    agent.act({"front": images[0]}, state)
    moving = agent.act({"front": images[1]}, state)
    assert not torch.equal(fresh, moving)
    agent.reset()
    assert torch.equal(agent.act({"front": images[1]}, state), fresh)


def test_frames_do_not_cross_episodes():
    data = Demonstrations.stack(episodes(3, seed=0, length=4), CONFIG)
    assert data.previous.tolist() == [0, 0, 1, 2, 4, 4, 5, 6, 8, 8, 9, 10]


def test_images_are_resampled_by_area():
    checks = np.kron(np.array([[0, 200], [100, 40]]), np.ones((8, 8)))[None, ..., None].repeat(3, -1)
    assert resample(checks.astype(np.uint8), 2)[0, :, :, 0].tolist() == [[0, 200], [100, 40]]


def test_the_robot_state_knows_nothing_of_the_objects():
    assert set(PROPRIOCEPTION) <= set(task.ROBOT_STATES)
    states = {key: torch.rand(3, width).squeeze(-1) for key, width in task.ROBOT_STATES.items()}
    cube = {f"cube_{key}": torch.rand(3, width) for key, width in task.OBJECT_STATES.items()}
    assert torch.equal(proprioception(states), proprioception({**states, **cube}))
    assert proprioception(states).shape == (3, 14)


def test_wrong_data_are_refused_clearly(tmp_path, trained):
    with pytest.raises(BCError, match="no episode"):
        Demonstrations.stack([], CONFIG)
    with pytest.raises(BCError, match=r"lacks the cameras \['wrist'\]"):
        Demonstrations.stack(episodes(1, seed=0), replace(CONFIG, cameras=("front", "wrist")))
    with pytest.raises(BCError, match="has not seen 'cover'"):
        Agent(trained[0], "cover")
    with pytest.raises(ValueError, match="multiple of 4"):
        Config(image_size=30)


def test_a_mask_shows_the_tasks_objects_and_nothing_else():
    labels = np.array([[[0, 1, 2, 3]]])  # background, cup, ball, robot
    picture = mask_pictures(labels, ["cup", "ball"], {"a": "ball", "b": "cup"})
    assert picture[0, 0].tolist() == [[0, 0, 0], [0, 255, 0], [255, 0, 0], [0, 0, 0]]
    assert mask_pictures(labels, ["cup", "ball"], {"a": "cup"})[0, 0, :, 1].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("inputs", ["mask", "mask_state"])
def test_policies_of_masks_see_the_state_only_where_they_are_told_to(inputs):
    config = replace(CONFIG, inputs=inputs, epochs=1, state_width=16)
    policy, _ = train(Demonstrations.stack(episodes(4, seed=0), config), config)
    image = {"front": scene(np.zeros(2))[None]}
    actions = [Agent(policy, "lift").act(image, torch.full((1, 14), value)) for value in (0.0, 3.0)]
    assert torch.equal(*actions) == (inputs == "mask")


def test_rotations_are_scaled_where_the_preset_says_so(trained):
    image, state = {"front": scene(np.zeros(2))[None]}, torch.zeros(1, 14)
    whole = Agent(trained[0], "lift").act(image, state)
    trained[0].config, before = replace(CONFIG, rotation_scale=0.2), trained[0].config
    scaled = Agent(trained[0], "lift").act(image, state)
    trained[0].config = before
    torch.testing.assert_close(scaled[:, 3:6], 0.2 * whole[:, 3:6])
    torch.testing.assert_close(scaled[:, [0, 1, 2, 6]], whole[:, [0, 1, 2, 6]])


def test_a_frozen_backbone_learns_from_maps_that_are_computed_once():
    config = replace(CONFIG, backbone="efficientnet_lite0", frozen=True, epochs=6, head_lr=3e-3)
    data = Demonstrations.stack(episodes(40, seed=0), config)
    untrained = ImagePolicy(config, data.behaviours, 14, pretrained=True)
    policy, losses = train(data, config)
    assert losses[-1] < 0.7 * losses[0]
    for before, after in zip(
        untrained.encoders["front"].body.parameters(),
        policy.encoders["front"].body.parameters(),
        strict=True,
    ):
        assert torch.equal(before, after)
    # In closed loop the same comes out as from the kept maps.
    frames = torch.tensor([[0, 1], [1, 2]])
    maps = policy.maps("front", data.images["front"][:3])[frames].float()
    pixels = torch.from_numpy(data.images["front"][:3]).permute(0, 3, 1, 2).float()[frames] / 255
    state, behaviour = torch.zeros(2, 2, 14), torch.zeros(2, dtype=torch.long)
    with torch.no_grad():
        by_maps = policy({"front": maps}, state, behaviour)
        by_pixels = policy({"front": pixels.flatten(1, 2)}, state, behaviour)
    torch.testing.assert_close(by_maps, by_pixels, atol=2e-2, rtol=0)


def test_the_papers_presets_are_the_papers():
    paper, masks = PRESETS["paper"], PRESETS["paper_mask"]
    assert (paper.backbone, paper.image_size, paper.hidden) == ("resnet18", 256, (512, 512, 512))
    assert (paper.epochs, paper.batch_size, paper.head_lr, paper.backbone_lr) == (30, 1024, 3e-4, 3e-5)
    assert (masks.inputs, masks.state_width, masks.rotation_scale) == ("mask_state", 256, 0.2)


@pytest.mark.parametrize("spoil", ["junk", "empty", "folder", "weights", "config", "not finite"])
def test_a_spoilt_policy_is_told_by_its_path(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "policy.safetensors"
    policy = ImagePolicy(CONFIG, ["lift"], 14)
    if spoil == "not finite":
        policy.head[-1].bias.data.fill_(float("nan"))
    policy.save(path)
    if spoil == "junk":
        path.write_bytes(b"\xff" * 100)
    elif spoil == "empty":
        path.write_bytes(b"")
    elif spoil == "folder":
        path.unlink()
        path.mkdir()
    elif spoil in ("weights", "config"):
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()["about"])
        tensors = {} if spoil == "weights" else {k: v.contiguous() for k, v in policy.state_dict().items()}
        about["config"] |= {"colour": 3} if spoil == "config" else {}
        save_file(tensors, path, {"about": json.dumps(about)})
    with pytest.raises(BCError, match=str(path)):
        ImagePolicy.load(path)


QUICK = replace(CONFIG, epochs=4, state_noise=0.0)


def test_two_processes_that_share_the_batches_learn_what_one_learns() -> None:
    data = Demonstrations.stack(episodes(16, seed=0), QUICK)
    torch.set_num_threads(1)
    alone, losses = train(data, QUICK, hardware=Hardware("cpu"))
    shared, shared_losses = train(data, QUICK, hardware=Hardware("cpu", devices=2))
    assert shared_losses == pytest.approx(losses, rel=0.02)
    for name, weights in alone.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[name], weights, rtol=0.1, atol=2e-3)


def test_mixed_precision_learns_as_much() -> None:
    data = Demonstrations.stack(episodes(16, seed=0), QUICK)
    torch.set_num_threads(1)
    policy, losses = train(data, QUICK, hardware=Hardware("cpu", precision="bf16-mixed"))
    whole = train(data, QUICK, hardware=Hardware("cpu"))[1]
    assert losses != whole and losses[-1] == pytest.approx(whole[-1], rel=0.1)
    assert {tensor.dtype for tensor in policy.state_dict().values()} == {torch.float32}


def test_gpus_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(BCError, match="asks for 2 GPUs, and torch finds 1"):
        Hardware(devices=2).fabric()


def test_frames_sent_to_a_device_are_those_of_a_cpu() -> None:
    images = np.random.default_rng(0).integers(0, 255, (6, SIZE, SIZE, 3), np.uint8)
    frames = Frames(images, SIZE, shift=3, batch_size=4)
    chosen = torch.tensor([[0, 1], [4, 5], [2, 2]])
    generator = torch.Generator().manual_seed(1)
    down, right = torch.randint(0, 7, (2,), generator=generator.clone_state()).tolist()
    torch.testing.assert_close(frames.sent(chosen, down, right), frames(chosen, generator))
