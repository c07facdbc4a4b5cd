"""A small training program. It runs on another engine by changing one import, the next line."""

import tapegrad as torch

nn, F = torch.nn, torch.nn.functional


def train(images, labels, epochs=10, batch_size=32, lr=0.1, momentum=0.9, seed=0):
    """Trains a 64-128-64-10 network on images (N,64) with labels (N); returns (model, loss of each step)."""
    torch.manual_seed(seed)
    images, labels = torch.from_numpy(images), torch.from_numpy(labels)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    losses = []
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for start in range(0, len(images), batch_size):
            batch = order[start : start + batch_size]
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return model, losses


def accuracy(model, images, labels):
    """The share of the rows of images (N,64) that the model gives their label."""
    with torch.no_grad():
        predicted = model(torch.from_numpy(images)).argmax(dim=1)
    return (predicted == torch.from_numpy(labels)).float().mean().item()


def digits():
    """Scikit-learn's 1,797 handwritten digits: images in 0..1 as float32 (1797,64), labels (1797)."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.data / 16).astype("float32"), data.target.astype("int64")


if __name__ == "__main__":
    images, labels = digits()
    model, losses = train(images[:1500], labels[:1500])
    print(f"first loss {losses[0]:.6f}, last loss {losses[-1]:.6f}")
    print(f"test accuracy {accuracy(model, images[1500:], labels[1500:]):.3f}")
