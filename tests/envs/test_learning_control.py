"""A library of others learns one of our tasks, from the state and with the sparse reward."""

import gymnasium
import numpy as np
import pytest

import embodied_ssl  # noqa: F401  (registers the environments)

stable_baselines3 = pytest.importorskip("stable_baselines3", exc_type=ImportError)


@pytest.mark.slow
def test_soft_actor_critic_with_hindsight_learns_to_reach():
    env = gymnasium.make("embodied_ssl/Reach-v0", length=25)
    model = stable_baselines3.SAC(
        "MultiInputPolicy",
        env,
        replay_buffer_class=stable_baselines3.HerReplayBuffer,
        learning_starts=300,
        batch_size=128,
        learning_rate=2e-3,
        gamma=0.95,
        tau=0.02,
        policy_kwargs={"net_arch": [64, 64]},
        seed=0,
        device="cpu",
    )

    def successes() -> float:
        found = []
        for seed in range(1000, 1030):
            observation, over = env.reset(seed=seed)[0], False
            while not over:
                action, _ = model.predict(observation, deterministic=True)
                observation, _, terminated, truncated, info = env.step(action)
                over = terminated or truncated
            found.append(info["is_success"])
        return float(np.mean(found))

    before = successes()
    model.learn(5000)
    assert before <= 0.2
    assert successes() >= 0.9
    env.close()
