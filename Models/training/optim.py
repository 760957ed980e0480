"""Muon (Jordan et al. 2024) for the matrices of the layers, AdamW for embeddings and norms."""
import torch


def orthogonalise(g, steps=5):
    """The nearest semi-orthogonal matrices to g [n, rows, columns], roughly: a quintic Newton-Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return (x.mT if tall else x).to(g.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal. Matrices of one shape are treated in one batch."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.05):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = {}
            for p in group["params"]:
                if p.grad is not None:
                    by_shape.setdefault(p.shape, []).append(p)
            for shape, ps in by_shape.items():
                updates = []
                for p in ps:
                    buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                    buffer.lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(buffer, group["momentum"]))  # Nesterov
                # 0.2 * sqrt(max side): the size of an AdamW update, so that both share a rate (Liu et al. 2025).
                rate = group["lr"] * 0.2 * max(shape) ** 0.5
                for p, u in zip(ps, orthogonalise(torch.stack(updates))):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(u, alpha=-rate)


class Optimiser:
    """Both optimisers under one learning rate."""

    def __init__(self, model, weight_decay=0.05):
        matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and n.startswith("blk.")]
        rest = [p for n, p in model.named_parameters() if p.dim() != 2 or not n.startswith("blk.")]
        self.parts = [Muon(matrices, lr=0, weight_decay=weight_decay),
                      torch.optim.AdamW(rest, lr=0, betas=(0.9, 0.95), weight_decay=0, fused=True)]
        self.params = matrices + rest

    def step(self, rate):
        torch.nn.utils.clip_grad_norm_(self.params, 1.0)
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self):
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states):
        for part, state in zip(self.parts, states):
            part.load_state_dict(state)
