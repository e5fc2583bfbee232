"""PyTorch: the usual eager loop, with a DataLoader or tensors shuffled by index; predictions eager
and scripted."""

import warnings

import torch
from cases import LEARNING_RATE
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset


def set_threads(count):
    torch.set_num_threads(count)


def make(net, layers):
    parts = []
    for W, b in layers:
        linear = torch.nn.Linear(*W.T.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W))
            linear.bias.copy_(torch.from_numpy(b))
        parts += [linear, torch.nn.ReLU() if net.activation == "relu" else torch.nn.Tanh()]
    return torch.nn.Sequential(*parts[:-1])


def trainers(case, X, y, layers):
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    model = make(case.net, layers)

    def by_index():
        if case.batch is None:
            yield X, y
            return
        order = torch.randperm(len(X)) if case.shuffle else torch.arange(len(X))
        for rows in order.split(case.batch):
            yield X[rows], y[rows]

    def trainer(batches, fused):
        def train(epochs):
            nonlocal model
            model = make(case.net, layers)
            optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=fused)
            for _ in range(epochs):
                for X_batch, y_batch in batches():
                    optimizer.zero_grad()
                    cross_entropy(model(X_batch), y_batch).backward()
                    optimizer.step()

        return train, lambda: [
            (part.weight.detach().numpy(), part.bias.detach().numpy()) for part in model[::2]
        ]

    found = {"tensors": trainer(by_index, None), "tensors, fused Adam": trainer(by_index, True)}
    if case.batch is not None:
        loader = DataLoader(TensorDataset(X, y), case.batch, shuffle=case.shuffle)
        found = {"DataLoader": trainer(lambda: loader, None), **found}
    return found


def predictors(net, layers, as_input):
    """{label: function of a NumPy array that `as_input` makes a tensor of shape (rows, n_in)}."""
    eager = make(net, layers).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.optimize_for_inference(torch.jit.script(eager))

    def answer(model, X):
        with torch.inference_mode():
            z = model(as_input(X))
            return (z.argmax(dim=1) if net.classes else z[:, 0]).numpy()

    return {"eager": lambda X: answer(eager, X), "TorchScript": lambda X: answer(scripted, X)}


def row_predictors(net, layers):
    return predictors(net, layers, lambda x: torch.from_numpy(x).unsqueeze(0))


def batch_predictors(net, layers):
    return predictors(net, layers, torch.from_numpy)
