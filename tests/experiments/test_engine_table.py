"""The tables of our engine and TFLM, from stored figures."""

from tinyseg.experiments import engine_table

BIG = {
    "memory_bytes": 9000, "stack_bytes": 1000, "instructions": 8_000_000, "code_bytes": 90_000,
    "data_bytes": 3000, "images": 1, "equal_images": 1,
    "kinds": {"CONV_2D": {"instructions": 7_000_000, "macs": 1_000_000}},
}  # fmt: skip
SMALL = {
    **BIG, "memory_bytes": 1500, "stack_bytes": 500, "instructions": 2_000_000, "images": 8,
    "equal_images": 8,
    "kinds": {"CONV_2D": {"instructions": 1_500_000, "macs": 1_000_000}},
}  # fmt: skip
LESS = {**SMALL, "memory_bytes": 500, "instructions": 2_500_000}
RESULTS = {
    "networks": {
        "one": {
            "file_bytes": 2000,
            "macs": 1_000_000,
            "boards": {"mps2_an500": {"tinyseg": SMALL, "tflm": BIG}},
        },
        "less": {
            "file_bytes": 2000,
            "macs": 1_000_000,
            "boards": {"mps2_an500": {"tinyseg": SMALL, "less memory": LESS, "tflm": BIG}},
        },
        "two": {"file_bytes": 2000, "macs": 500_000, "boards": {"mps2_an500": {"tinyseg": SMALL}}},
    }
}


def cells(table, name):
    (line,) = (line for line in table.splitlines() if f"`{name}`" in line)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_short_table_has_ratios_where_both_engines_ran():
    table = engine_table.overview(RESULTS)
    own, none = "2 kB, 2.0 M", ["-", "-", "-"]
    first = [own, "-", "5.0 x RAM, 4.0 x instructions"]
    less = [own, "1 kB, 2.5 M", "5.0 to 10.0 x RAM, 4.0 to 3.2 x instructions"]
    assert cells(table, "one") == ["`one`", "1.0 M", *first, *none]
    assert cells(table, "less") == ["`less`", "1.0 M", *less, *none]
    assert cells(table, "two") == ["`two`", "0.5 M", own, "-", "-", *none]


def test_page_has_every_figure_and_only_boards_that_ran():
    page = engine_table.page(RESULTS)
    assert "| `one` | TFLM, CMSIS-NN | 9,000 | 1,000 | 8,000,000 | 8.00 |" in page
    assert "| CONV_2D | 3.0 M | 1.50 | 14.0 M | 7.00 |" in page
    assert "8 of 8" in page
    assert "## Cortex-M7" in page
    assert "## Cortex-M55" not in page


def test_picture(tmp_path):
    engine_table.draw(RESULTS, tmp_path / "engine.png")
    assert (tmp_path / "engine.png").read_bytes().startswith(b"\x89PNG")
