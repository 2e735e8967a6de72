import dataclasses


@dataclasses.dataclass
class Placement:
    slots: list
    unit: int
    regions: list
    starts: list
    scratch: int
    scratch_bytes: int
    state: int
    state_bytes: int


def place(program):
    unit = 4096
    at = 0
    slots = []
    for n in program.nodes:
        if n.constant is not None:
            slots.append([])
            continue
        u = -(-n.row_bytes // unit)
        slots.append([at + i * u for i in range(n.rows)])
        at += u * n.rows
    scratch = max([n.scratch for n in program.nodes], default=0)
    st = 2 * len(program.nodes) + 2 * (len(program.nodes) + 1)
    st = (st + 15) // 16 * 16
    base = at * unit
    scratch = (scratch + 15) // 16 * 16
    return Placement(slots, unit, [base + scratch + st], [0], base, scratch, base + scratch, st)
