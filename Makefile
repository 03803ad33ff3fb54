# What there is to do, and how. `make` alone lists the targets.
#
#   PYTHON=python3.12   the interpreter for .venv (default python3)
#   KIT_OFFLINE=1       no network: install nothing, use PYTHON and what it has instead of .venv; its compiler
#                       may warn of other things than ours, and warnings are no errors
#   CMAKE_ARGS=…        further arguments for configuring

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ifdef PYTHON
export PYTHON
endif
export KIT_OFFLINE

PY := $(if $(KIT_OFFLINE),$(or $(PYTHON),python3),.venv/bin/python)
predictor := build/default/predictor
jobs := $(shell nproc)

# The tools of .venv (ruff, gersemi), and a kit that runs from the tree.
export PYTHONPATH := $(CURDIR)/python$(if $(PYTHONPATH),:$(PYTHONPATH))

# What CMake says is of interest only if it fails.
configure = mkdir -p build && { cmake --preset $(1) \
  -DPython_EXECUTABLE="$$($(PY) -c 'import sys; print(sys.executable)')" \
  $(if $(KIT_OFFLINE),-DKIT_WARNINGS_AS_ERRORS=OFF) $(CMAKE_ARGS) >build/configure.log 2>&1 || \
  { cat build/configure.log >&2; exit 1; }; }
# pytest in two processes, where pytest-xdist is there: KIT_OFFLINE takes what the machine has.
processes = $(shell $(PY) -c 'import xdist' 2>/dev/null && \
  echo --numprocesses 2 --dist loadfile --no-loadscope-reorder)
step = @printf '\n== %s\n' '$(1)'

##@ Two commands that do everything, from a clean clone

.PHONY: demo
demo: setup  ## train, export, predict in C++ and compare: the whole way once
	$(call step,build)
	@$(call configure,default)
	cmake --build --preset default --target predictor kit_torch kit_native
	$(call step,train the model of examples/mlp and export it)
	@mkdir -p demo
	$(PY) -m kit.export examples/mlp/recipe.py:recipe --program native -o demo/mlp.pt
	$(call step,what is in the archive (nothing is loaded for this))
	$(predictor) inspect demo/mlp.pt
	$(call step,predict in C++)
	$(predictor) run demo/mlp.pt --input examples/mlp/points.csv
	$(call step,replay the golden cases in C++)
	$(predictor) verify demo/mlp.pt --all
	$(call step,the same inputs through every way there is)
	$(PY) -m kit parity examples/mlp/recipe.py:recipe demo/mlp.pt
	@printf '\nNext: %s run demo/mlp.pt --input YOUR.csv predicts your own rows.\n' '$(predictor)'
	@printf 'A recipe for your own model: examples/mlp/recipe.py shows one; README.md explains it.\n'

.PHONY: test
test: setup-test build asan tsan  ## every test: ctest, the core under sanitizers, pytest
	$(call step,ctest)
	ctest --preset default --parallel $(jobs)
	$(call step,pytest)
	$(PY) -m pytest $(processes)

##@ Parts of them

.PHONY: setup
setup:  ## install what is missing: Debian packages, .venv with torch
	@tools/setup

.PHONY: build
build: setup  ## libraries, predictor, binding and tests, in build/default
	$(call step,build)
	@$(call configure,default)
	cmake --build --preset default

.PHONY: asan
asan: setup  ## build and test core and io under the address and undefined-behaviour sanitizers
	$(call step,core and io under sanitizers)
	@$(call configure,asan)
	cmake --build --preset asan
	ctest --preset asan --parallel $(jobs)

.PHONY: tsan
tsan: setup  ## build the same under the thread sanitizer, and run the tests that concern threads
	$(call step,core and native engine under the thread sanitizer)
	@$(call configure,tsan)
	cmake --build --preset tsan
	ctest --preset tsan

##@ Before a commit

.PHONY: lint
lint: setup-lint  ## ruff, mypy, clang-format, clang-tidy, gersemi; changes nothing
	@$(call configure,default)
	@tools/lint

.PHONY: format
format: setup-lint  ## let ruff, clang-format and gersemi rewrite what they can
	@tools/lint --fix

.PHONY: setup-test
setup-test:
	@tools/setup test

.PHONY: setup-bench
setup-bench:
	@tools/setup bench

.PHONY: setup-lint
setup-lint:
	@tools/setup lint

##@ Measuring, and machines with a GPU

.PHONY: bench
bench: setup-bench build  ## kit beside its peers, which writes docs/benchmarks.md, and the other benchmarks
	$(call step,kit beside its peers)
	@mkdir -p build/bench
	PYTHONPATH=$(CURDIR):$$PYTHONPATH:$(CURDIR)/.venv/executorch $(PY) -W ignore tests/bench/bench_works.py $(predictor) build/bench/results.json
	$(PY) tools/benchmarks.py build/bench/results.json
	$(call step,kit::Model::predict against torch::jit::Module::forward)
	build/default/bench_model build/bench/mlp.pt
	$(call step,what the guards add to an export)
	PYTHONPATH=$(CURDIR):$$PYTHONPATH $(PY) -W ignore tests/bench/bench_guards.py

.PHONY: endure
endure: build  ## millions of predictions in many threads, loading again and again; writes docs/threads.md
	$(call step,models under stress)
	$(PY) tools/endure.py

.PHONY: gpu
gpu: setup  ## on a GPU: its tests, and a benchmark that writes docs/gpu.md; skipped without one
	$(call step,build what the GPU needs)
	@$(call configure,default)
	cmake --build --preset default --target predictor kit_torch kit_native kit_cuda_tests kit_test_archives
	tools/gpu

.PHONY: clean
clean:  ## remove what was built; .venv stays
	rm -rf build demo dist python/kit/_native*.so

.PHONY: help
help:  ## this list
	@awk 'BEGIN {FS = ":.*##"} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*##/ {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
