# Every verb mirrors 'tinyseg VERB'. Each target sets up what it needs.
MODEL ?= attention_unet_ds
DATA ?= phantom
RECIPE ?= static_wi8_ai8
BOARD ?= mps2_an500
TEACHER ?= unet
STUDENT ?= lw_unet
NAME ?= blu_chain
SPACE ?= space.yaml
# More options for the verb, for example ARGS="--epochs 5"; of one verb among several,
# ARGS_train="--epochs 5".
ARGS ?=
MORE = $(ARGS) $(ARGS_$@)
PYTHON ?= python3

ENV := .venv/.ready
MLTK := .venv-mltk/.ready
MUTANTS := .venv-mutants/.ready
TINYSEG := .venv/bin/tinyseg
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# What firmware needs, and what the tests need beside that.
FIRMWARE_PACKAGES := g++ cmake ninja-build gcc-arm-none-eabi libnewlib-arm-none-eabi \
	libstdc++-arm-none-eabi-newlib qemu-system-arm
FIRMWARE_TOOLS := g++ cmake ninja arm-none-eabi-g++ qemu-system-arm
TEST_PACKAGES := libgtest-dev clang-format chromium chromium-driver
TEST_TOOLS := clang-format chromedriver
SLURM_PACKAGES := slurm-wlm slurmd slurmctld slurm-client munge
SLURM_TOOLS := sbatch srun munge
# What verify and profile look at: a .tflite file, or the newest one of MODEL.
FILE ?= $(MODEL)
# What an operating point is chosen for: most-dice, no-missed-lesion, at-most-false-alarms=N.
WISH ?= most-dice

# Found out before the first verb's work, not by the second one after it.
ifneq ($(strip $(ARGS)),)
ifneq ($(word 2,$(MAKECMDGOALS)),)
$(error ARGS would go to each of '$(MAKECMDGOALS)'; give ARGS_$(firstword $(MAKECMDGOALS))="$(ARGS)" instead)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help setup mltk tools toolchain slurm zoo check train tune distill binarize quantize evaluate calibrate predict demo inspect verify profile memory lower fit report publish \
	firmware emulate flash doctor bench experiment table figures costs pictures docs notebooks test test-slow test-cpp mutants lint format clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo '  MODEL=$(MODEL) DATA=$(DATA) RECIPE=$(RECIPE) BOARD=$(BOARD) ARGS="more options"'

# Installed from the constraints file, so that every machine gets the tested versions.
$(ENV): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || \
		{ echo "tinyseg needs Python 3.11 or 3.12; set PYTHON=python3.11" >&2; exit 2; }
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(MLTK): tinyseg/profiling/requirements-mltk.txt
	test -x .venv-mltk/bin/python || $(PYTHON) -m venv .venv-mltk
	.venv-mltk/bin/pip install --quiet --no-deps --requirement $<
	@touch $@

$(MUTANTS): tests/mutants/requirements.txt
	test -x .venv-mutants/bin/python || $(PYTHON) -m venv .venv-mutants
	.venv-mutants/bin/pip install --quiet --requirement $<
	@touch $@

# Installs Debian's packages $(1) unless the programs $(2) and the files $(3) are there.
define install
	@for tool in $(2); do command -v $$tool > /dev/null || missing=1; done; \
	for file in $(3); do test -f $$file || missing=1; done; \
	test -z "$$missing" || { command -v apt-get > /dev/null || \
		{ echo "install the equivalents of Debian's $(1)" >&2; exit 2; }; \
		echo "installing $(1)" >&2; \
		$(SUDO) apt-get update -qq && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $(1) > /dev/null; }
endef

tools: ## install compilers and the emulator for firmware (Debian)
	$(call install,$(FIRMWARE_PACKAGES),$(FIRMWARE_TOOLS),)

toolchain: tools ## install what tests and lint need beside that: a browser, GoogleTest (Debian)
	$(call install,$(TEST_PACKAGES),$(TEST_TOOLS),/usr/include/gtest/gtest.h)

slurm: ## install SLURM for the tests of its jobs (Debian)
	$(call install,$(SLURM_PACKAGES),$(SLURM_TOOLS),)

setup: $(ENV) ## make the main environment
mltk: $(MLTK) ## make the environment of Silicon Labs MLTK

zoo: $(ENV) ## list the networks
	@$(TINYSEG) zoo $(MORE)

check: $(ENV) ## check the images at DATA
	@$(TINYSEG) data check "$(DATA)" $(MORE)

train: $(ENV) ## train MODEL on DATA
	@$(TINYSEG) train $(MODEL) --data "$(DATA)" $(MORE)

tune: $(ENV) ## search the plan that trains MODEL best on DATA, in the space of the file SPACE
	@$(TINYSEG) tune $(MODEL) --data "$(DATA)" --space "$(SPACE)" $(MORE)

distill: $(ENV) ## train STUDENT on DATA with the help of TEACHER
	@$(TINYSEG) distill $(TEACHER) $(STUDENT) --data "$(DATA)" $(MORE)

binarize: $(ENV) ## make a residual-binarized network of MODEL
	@$(TINYSEG) binarize $(MODEL) --data "$(DATA)" $(MORE)

calibrate: $(ENV) ## choose the operating point of FILE for WISH
	@$(TINYSEG) calibrate "$(FILE)" --wish "$(WISH)" $(MORE)

# One path with blanks or brackets, or several, or a pattern; never words of the shell.
predict: export IMAGES := $(value IMAGES)
predict: $(ENV) ## masks, overlays and a table of areas for IMAGES
	@if test -e "$$IMAGES"; then set -- "$$IMAGES"; else set -- $$IMAGES; fi; \
	$(TINYSEG) predict $(MODEL) "$$@" --data "$(DATA)" $(MORE)

demo: $(ENV) ## serve a page that shows MODEL's float and integer masks
	@$(TINYSEG) demo "$(FILE)" --data "$(DATA)" --recipe $(RECIPE) $(MORE)

inspect: $(ENV) ## draw what MODEL has learned: filters, attention, predictions
	@$(TINYSEG) inspect $(MODEL) --data "$(DATA)" $(MORE)

quantize: $(ENV) $(MLTK) ## MODEL to a verified, profiled int8 file with a report
	@$(TINYSEG) quantize $(MODEL) --data "$(DATA)" --recipe $(RECIPE) $(MORE)

evaluate: $(ENV) ## score MODEL's float weights on the test part of DATA
	@$(TINYSEG) evaluate $(MODEL) --data "$(DATA)" $(MORE)

verify: $(ENV) ## check FILE (or MODEL) on TensorFlow Lite Micro
	@$(TINYSEG) verify "$(FILE)" --data "$(DATA)" --recipe $(RECIPE) $(MORE)

profile: $(ENV) $(MLTK) ## profile FILE (or MODEL) with MLTK
	@$(TINYSEG) profile "$(FILE)" --data "$(DATA)" --recipe $(RECIPE) $(MORE)

memory: $(ENV) ## predict the tensor arena of FILE (or MODEL)
	@$(TINYSEG) memory "$(FILE)" --data "$(DATA)" --recipe $(RECIPE) $(MORE)

lower: $(ENV) ## rewrite FILE (or MODEL) for less memory, same bytes out
	@$(TINYSEG) lower "$(FILE)" --data "$(DATA)" --recipe $(RECIPE) $(MORE)

fit: $(ENV) ## make MODEL fit BOARD, or propose sizes that do
	@$(TINYSEG) fit "$(FILE)" --board $(BOARD) --data "$(DATA)" --recipe $(RECIPE) $(MORE)

report: $(ENV) ## compare the sizes of unet, lw_unet and blu_net
	@$(TINYSEG) report $(MORE)

publish: $(ENV) $(MLTK) ## make the trained MODEL the one in models/
	@$(TINYSEG) publish $(MODEL) --data "$(DATA)" $(MORE)

firmware: $(ENV) tools ## compile MODEL for BOARD
	@$(TINYSEG) firmware "$(FILE)" --board $(BOARD) --data "$(DATA)" --recipe $(RECIPE) $(MORE)

emulate: $(ENV) tools ## run MODEL on emulated BOARD
	@$(TINYSEG) emulate "$(FILE)" --board $(BOARD) --data "$(DATA)" --recipe $(RECIPE) $(MORE)

flash: $(ENV) tools ## write MODEL to BOARD
	@$(TINYSEG) flash "$(FILE)" --board $(BOARD) --data "$(DATA)" --recipe $(RECIPE) $(MORE)

doctor: $(ENV) ## list the tools for firmware, found and missing
	@$(TINYSEG) doctor $(MORE)

bench: $(ENV) $(MLTK) ## measure speed and memory into build/bench.json
	@.venv/bin/python -m tests.benchmarks.bench $(MORE)

experiment: $(ENV) ## run experiment NAME, for example blu_chain
	@.venv/bin/python -m tinyseg.experiments.$(NAME) $(MORE)

table: $(ENV) ## write the results tables of README and docs from stored figures
	@.venv/bin/python -m tinyseg.experiments.table $(MORE)

figures: $(ENV) ## count the networks' parameters and work anew, for 'tinyseg zoo'
	@.venv/bin/python -m tinyseg.zoo.figures

costs: $(ENV) tools ## fit what our engine's kernels take to what emulated boards count
	@.venv/bin/python -m tests.benchmarks.costs $(MORE)

pictures: $(ENV) tools ## draw the README's pictures anew, of real runs
	@.venv/bin/python -m tests.pictures

docs: $(ENV) ## build the documentation into build/site
	@.venv/bin/python -m tinyseg.experiments.table --check
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet

# A notebook's own commands are those of the environment.
notebooks: $(ENV) ## run the notebooks and keep their output
	PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/pytest --nbmake --overwrite --nbmake-timeout=600 --durations=0 notebooks $(MORE)
	.venv/bin/python -m tests.tidy_notebooks

test-cpp: toolchain ## the firmware's own tests, with sanitizers
	cmake -G Ninja -S firmware -B build/host -DTINYSEG_SANITIZE=ON > /dev/null
	cmake --build build/host
	ctest --test-dir build/host --output-on-failure $(MORE)

test: $(ENV) $(MLTK) test-cpp ## fast tests
	.venv/bin/pytest --numprocesses 2 --dist loadfile -m "not slow" $(MORE)

test-slow: $(ENV) $(MLTK) ## tests that take minutes
	.venv/bin/pytest -m slow $(MORE)

mutants: $(ENV) $(MUTANTS) toolchain ## put small faults into the code; which do the tests notice?
	.venv-mutants/bin/python -m tests.mutants $(MORE)

CPP = $(shell find firmware -name '*.cc' -o -name '*.h')

lint: $(ENV) toolchain ## check style and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	clang-format --dry-run --Werror $(CPP)

format: $(ENV) ## apply style
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	clang-format -i $(CPP)

clean: ## remove results; environments stay
	rm -rf build
