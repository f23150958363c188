"""Damped least squares of a small Jacobian, compiled."""

import numpy as np

from embodied_ssl.envs.world.compiled import jit

DAMPING = 0.02  # of the least squares; m or rad


@jit
def joint_changes(jacobian, way, axes, closing_x, closing_y, pull):
    """Changes of the joints [J] that bring a tip along a way [3] (m) and turn it down, closing along a direction.

    jacobian: [6, J] of the tip. axes: [3, 3], of the hand now, in columns. pull: [J], the changes that are wanted
    besides, as far as the tip does not mind: pull + J⁺ (way − J pull), with J⁺ = Jᵀ (J Jᵀ + λ²)⁻¹.
    """
    count = jacobian.shape[1]
    wanted = np.empty(6)
    wanted[:3] = way
    # Half the sum of the cross products of each axis with where it is to be: the rotation vector, if it is small.
    x, y, z = axes[:, 0], axes[:, 1], axes[:, 2]
    # y is to be (cx, cy, 0), z (0, 0, -1), and so x = y × z (-cy, cx, 0).
    wanted[3] = 0.5 * (-x[2] * closing_x - y[2] * closing_y - z[1])
    wanted[4] = 0.5 * (-x[2] * closing_y + y[2] * closing_x + z[0])
    wanted[5] = 0.5 * (x[0] * closing_x + x[1] * closing_y + y[0] * closing_y - y[1] * closing_x)
    for row in range(6):
        for joint in range(count):
            wanted[row] -= jacobian[row, joint] * pull[joint]

    matrix = np.zeros((6, 7))  # J Jᵀ + λ² and what it is to give
    for row in range(6):
        for column in range(6):
            for joint in range(count):
                matrix[row, column] += jacobian[row, joint] * jacobian[column, joint]
        matrix[row, row] += DAMPING * DAMPING
        matrix[row, 6] = wanted[row]
    for pivot in range(6):  # positive definite: no exchange of rows
        for row in range(pivot + 1, 6):
            factor = matrix[row, pivot] / matrix[pivot, pivot]
            for column in range(pivot, 7):
                matrix[row, column] -= factor * matrix[pivot, column]
    for pivot in range(5, -1, -1):
        for column in range(pivot + 1, 6):
            matrix[pivot, 6] -= matrix[pivot, column] * matrix[column, 6]
        matrix[pivot, 6] /= matrix[pivot, pivot]

    changes = pull.copy()
    for joint in range(count):
        for row in range(6):
            changes[joint] += jacobian[row, joint] * matrix[row, 6]
    return changes
