#!/usr/bin/env python3
"""Prints the points of a `[search]` with `method = "sobol"`, made without any of the Rust code.

    python3 scripts/reference/sobol.py

Needs SciPy (`pip install scipy`; tested with 1.17). The unscrambled Sobol sequence in two dimensions
is SciPy's, put back from Gray code order into natural order. The shuffling of its order and the
scrambling of its values follow Burley, "Practical Hash-based Owen Scrambling" (JCGT 9:4, 2020), with
the hash functions that the crate sobol_burley 0.5 documents: bits are reversed, a hash in which each
bit depends on lower bits only is applied, and bits are reversed back. Shares keep 23 bits, and
values four significant digits. `config/search_tests.rs` holds the numbers printed here.

The script also checks that the first 2^k points lie one in each dyadic box of area 2^-k, for the
plain and for the scrambled sequence, and prints how evenly both methods fill the square (the
centred L2 discrepancy: smaller is more even).
"""

import numpy as np
from scipy.stats import qmc

WORD = 0xFFFFFFFF
DIMENSION_KEYS = (0x912F69BA, 0x174F18AB)
ORDER_KEY = 0x79C68E4A
LOG2_LR = (-6.0, -2.0)
LOG2_RHO = (-6.0, 1.0)


def reverse(word):
    return int(f"{word:032b}"[::-1], 2)


def hashed(word):
    word ^= 0xE6FE3BEB
    word ^= word >> 16
    word = word * 0x7FEB352D & WORD
    word ^= word >> 15
    word = word * 0x846CA68B & WORD
    return word ^ word >> 16


def owen(word, key):
    """Owen's scrambling of the digits of `word`, approximated by a hash; `key` must be random."""
    bits = reverse(word)
    bits ^= bits * 0x3D20ADEA & WORD
    bits = bits + key & WORD
    bits = bits * (key >> 16 | 1) & WORD
    bits ^= bits * 0x05526C56 & WORD
    bits ^= bits * 0x53A22864 & WORD
    return reverse(bits)


def plain_sequence():
    """The first 2^16 points as 32-bit integers: row i is point i in natural order."""
    gray_ordered = qmc.Sobol(d=2, scramble=False, bits=32).random(1 << 16)
    places = np.arange(1 << 16)
    natural = np.empty_like(gray_ordered)
    natural[places ^ places >> 1] = gray_ordered
    return (natural * 2.0**32).astype(np.uint64)


def scrambled(plain, count, seed):
    """Shares of the square in [0, 1), one row a point."""
    rows = []
    for index in range(count):
        # Only the lowest 16 bits of the shuffled index are used.
        place = owen(index, hashed(seed ^ ORDER_KEY)) & 0xFFFF
        row = []
        for dimension, key in enumerate(DIMENSION_KEYS):
            key ^= seed * 0x9C8F2D3B & WORD
            row.append((owen(int(plain[place, dimension]), hashed(key)) >> 9) / 2.0**23)
        rows.append(row)
    return np.array(rows)


def one_point_a_box(points):
    """Whether the first 2^k points fill the dyadic boxes of area 2^-k, for all shapes of box."""
    power = 0
    while 1 << power <= len(points):
        first = points[: 1 << power]
        for across in range(power + 1):
            columns = np.floor(first[:, 0] * 2**across)
            rows = np.floor(first[:, 1] * 2 ** (power - across))
            if len(set(zip(columns, rows))) != 1 << power:
                return False
        power += 1
    return True


def value(log2_range, share):
    low, high = log2_range
    return float(f"{2.0 ** (low + (high - low) * share):.3e}")


def main():
    plain = plain_sequence()
    assert one_point_a_box(plain[:1024] / 2.0**32), "SciPy's sequence is not a (0, 2)-sequence"
    for seed in (0, 7):
        points = scrambled(plain, 1024, seed)
        assert one_point_a_box(points), f"seed {seed}: a box is empty"
        print(f"seed {seed}: η from 2^-6 to 2^-2, ρ from 2^-6 to 2^1")
        for lr, rho in points[:8]:
            print(f"    ({value(LOG2_LR, lr)}, {value(LOG2_RHO, rho)}),")
        random = np.random.default_rng(seed).random((64, 2))
        sobol, even = (qmc.discrepancy(some) for some in (points[:64], random))
        print(f"  centred L2 discrepancy of 64 points: sobol {sobol:.5f}, random {even:.5f}")


if __name__ == "__main__":
    main()
