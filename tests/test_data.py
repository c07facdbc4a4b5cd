"""Datasets, samplers and the DataLoader."""

import math
from collections import namedtuple

import numpy as np
import pytest

import tapegrad as torch
from tapegrad.utils import data
from tapegrad.utils.data import DataLoader, Dataset, TensorDataset


def numbers(count=10):
    return TensorDataset(torch.arange(count * 2).reshape(count, 2), torch.arange(count))


def test_tensor_dataset():
    dataset = numbers()
    assert len(dataset) == 10
    x, y = dataset[3]
    assert x.tolist() == [6, 7] and y.item() == 3
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        TensorDataset(torch.zeros(2), torch.zeros(3))


def test_batches_in_order():
    loader = DataLoader(numbers(), batch_size=4)
    assert len(loader) == 3 and len(loader.dataset) == 10
    batches = list(loader)
    assert isinstance(batches[0], list)
    assert [y.tolist() for _, y in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert batches[0][0].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert len(DataLoader(numbers(), batch_size=4, drop_last=True)) == 2
    assert len(list(DataLoader(numbers(), batch_size=4, drop_last=True))) == 2


def test_a_batch_does_not_alias_the_dataset():
    dataset = numbers()
    for x, _ in DataLoader(dataset, batch_size=5):
        x.zero_()
    assert dataset.tensors[0].sum().item() == sum(range(20))


def test_shuffling_follows_the_seed():
    def order():
        return [y for _, batch in DataLoader(numbers(), batch_size=3, shuffle=True) for y in batch.tolist()]

    torch.manual_seed(0)
    first, second = order(), order()
    torch.manual_seed(0)
    assert order() == first and sorted(first) == list(range(10)) and first != second
    generator = torch.Generator()
    generator.manual_seed(1)
    state = torch.random.get_rng_state()
    list(DataLoader(numbers(), shuffle=True, generator=generator))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_workers_are_accepted():
    loader = DataLoader(numbers(), batch_size=5, num_workers=2, persistent_workers=True, timeout=3)
    assert [y.tolist() for _, y in loader] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert data.get_worker_info() is None


def test_own_dataset_without_super_init():
    class Squares(Dataset):
        def __init__(self, count):
            self.count = count

        def __len__(self):
            return self.count

        def __getitem__(self, index):
            if index >= self.count:
                raise IndexError
            return index, float(index**2)

    batches = list(DataLoader(Squares(3), batch_size=2))
    assert batches[0][0].dtype == torch.int64 and batches[0][1].dtype == torch.float64
    assert batches[1][1].tolist() == [4.0]
    both = Squares(2) + Squares(3)
    assert len(both) == 5 and both[2] == (0, 0.0) and both[-1] == (2, 4.0)


def test_subclass_of_tensor_dataset_keeps_its_own_getitem():
    class Shifted(TensorDataset):
        def __getitem__(self, index):
            return tuple(tensor[index] + 100 for tensor in self.tensors)

    (batch,) = next(iter(DataLoader(Shifted(torch.arange(3)), batch_size=3)))
    assert batch.tolist() == [100, 101, 102]


def test_collate():
    Pair = namedtuple("Pair", "a b")
    assert data.default_collate([1, 2]).tolist() == [1, 2]
    assert data.default_collate([np.float32(1), np.float32(2)]).dtype == torch.float32
    assert data.default_collate([np.zeros(2), np.ones(2)]).shape == (2, 2)
    assert data.default_collate(["a", "b"]) == ["a", "b"]
    mapped = data.default_collate([{"x": 1, "y": [1, 2]}, {"x": 2, "y": [3, 4]}])
    assert mapped["x"].tolist() == [1, 2] and [t.tolist() for t in mapped["y"]] == [[1, 3], [2, 4]]
    assert data.default_collate([Pair(1, 2), Pair(3, 4)]).b.tolist() == [2, 4]
    assert data.default_convert({"x": np.ones(1), "s": "text"})["x"].tolist() == [1.0]
    with pytest.raises(TypeError, match="default_collate: batch must contain tensors, numpy arrays"):
        data.default_collate([object()])
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        data.default_collate([[1], [1, 2]])
    own = DataLoader(numbers(), batch_size=5, collate_fn=len)
    assert list(own) == [5, 5]


def test_iterable_dataset():
    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(range(5))

        def __len__(self):
            return 5

    assert [b.tolist() for b in DataLoader(Stream(), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert len(DataLoader(Stream(), batch_size=2)) == 3
    assert len(list(DataLoader(Stream(), batch_size=2, drop_last=True))) == 2
    assert list(DataLoader(Stream(), batch_size=None)) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="expected unspecified shuffle option, but got shuffle=True"):
        DataLoader(Stream(), shuffle=True)


def test_random_split_and_subset():
    torch.manual_seed(0)
    parts = data.random_split(numbers(), [7, 3])
    assert [len(part) for part in parts] == [7, 3]
    assert sorted(parts[0].indices + parts[1].indices) == list(range(10))
    assert [len(p) for p in data.random_split(numbers(), [0.5, 0.3, 0.2])] == [5, 3, 2]
    subset = data.Subset(numbers(), [4, 2])
    assert [y.item() for _, y in (subset[0], subset[1])] == [4, 2]
    assert [y.tolist() for _, y in DataLoader(subset, batch_size=2)] == [[4, 2]]
    with pytest.raises(
        ValueError, match="Sum of input lengths does not equal the length of the input dataset!"
    ):
        data.random_split(numbers(), [1, 2])


def test_samplers():
    torch.manual_seed(0)
    assert list(data.SequentialSampler([5, 6, 7])) == [0, 1, 2]
    assert sorted(data.RandomSampler(range(5))) == [0, 1, 2, 3, 4]
    assert len(list(data.RandomSampler(range(5), replacement=True, num_samples=70))) == 70
    assert len(list(data.RandomSampler(range(5), num_samples=12))) == 12
    assert sorted(data.SubsetRandomSampler([7, 8, 9])) == [7, 8, 9]
    assert set(data.WeightedRandomSampler([0.0, 1.0, 0.0, 3.0], 50)) == {1, 3}
    assert list(data.BatchSampler(range(5), 2, drop_last=False)) == [[0, 1], [2, 3], [4]]
    assert len(data.BatchSampler(range(5), 2, drop_last=True)) == 2
    with pytest.raises(
        ValueError, match="batch_size should be a positive integer value, but got batch_size=0"
    ):
        data.BatchSampler(range(5), 0, False)


def test_an_endless_sampler_starts_at_once():
    sampler = data.RandomSampler(numbers(), replacement=True, num_samples=int(1e10))
    iterator = iter(DataLoader(numbers(), batch_size=4, sampler=sampler))
    assert next(iterator)[1].shape == (4,)
    assert next(iterator)[1].shape == (4,)


def test_sampler_with_old_constructor_call():
    class Backwards(data.Sampler):
        def __init__(self, source):
            super().__init__(source)
            self.source = source

        def __iter__(self):
            return iter(range(len(self.source) - 1, -1, -1))

        def __len__(self):
            return len(self.source)

    loader = DataLoader(numbers(4), batch_size=2, sampler=Backwards(numbers(4)))
    assert [y.tolist() for _, y in loader] == [[3, 2], [1, 0]]


def test_distributed_sampler_shares_everything():
    parts = [list(data.DistributedSampler(range(10), 3, rank, seed=1)) for rank in range(3)]
    assert [len(part) for part in parts] == [4, 4, 4]
    assert set().union(*parts) == set(range(10))


def test_stack_dataset():
    stacked = data.StackDataset(a=[1, 2], b=["x", "y"])
    assert stacked[1] == {"a": 2, "b": "y"} and len(stacked) == 2
    assert data.StackDataset([1, 2], [3, 4])[0] == (1, 3)


def test_fixed_attributes():
    loader = DataLoader(numbers())
    with pytest.raises(
        ValueError, match="batch_size attribute should not be set after DataLoader is initialized"
    ):
        loader.batch_size = 3
    with pytest.raises(ValueError, match="sampler option is mutually exclusive with shuffle"):
        DataLoader(numbers(), sampler=range(3), shuffle=True)


def test_length_of_every_combination():
    for count in (1, 5, 6):
        for size in (1, 2, 3, 7):
            for drop in (False, True):
                loader = DataLoader(numbers(count), batch_size=size, drop_last=drop)
                assert (
                    len(loader) == len(list(loader)) == (count // size if drop else math.ceil(count / size))
                )
