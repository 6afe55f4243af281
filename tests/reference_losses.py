"""Losses by torch's own functions."""

import torch


def beta_nll(mean: torch.Tensor, log_spread: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Seitzer et al. 2022, eq. 5, beta = 0.5, by torch's own likelihood; each row's, at most four spreads away."""
    variance = (2 * log_spread).exp()
    most = 4 * variance.sqrt()
    target = (mean - torch.maximum(torch.minimum(mean - target, most), -most)).detach()
    likelihood = torch.nn.functional.gaussian_nll_loss(mean, target, variance, reduction="none")
    return variance.detach() ** 0.5 * likelihood


def beta_student_t(mean: torch.Tensor, log_spread: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The same for Student's t with 4 degrees of freedom."""
    scale = log_spread.exp()
    return -scale.detach() * torch.distributions.StudentT(4.0, mean, scale).log_prob(target)


OF_LOSS = {"gaussian": beta_nll, "student_t": beta_student_t}
