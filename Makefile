# Two commands do everything on a fresh machine: `make cv` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable
WARM_UP := $(BIN)/python -c 'from houseprices.engine.training import warm_up; warm_up()' # compiles the training steps

CONFIG ?= configs/default.toml
DATA ?=
RUN ?=
SEED ?=
SOURCE ?=
FILE ?=
INPUT ?= -
ID ?=
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help cv quick sample download submit ledger predict report explain ablate compare lessons settings \
	bench bench-estimator bench-score bench-recipe test check format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

cv: $(VENV)/run.stamp ## the main job; DATA=folder CONFIG=file.toml RUN=folder SEED=n ARGS="--groups.tanh.dropout 0.2"
	@$(BIN)/houseprices cv --config $(CONFIG) $(if $(DATA),--data "$(DATA)") $(if $(RUN),--run "$(RUN)") \
		$(if $(SEED),--seed $(SEED)) $(ARGS)

quick: CONFIG = configs/quick.toml
quick: cv ## the main job in about ten seconds

sample: $(VENV)/run.stamp ## write the synthetic sample into data/sample; ARGS="--rows 1000 --seed 1"
	@$(BIN)/houseprices sample $(ARGS)

download: $(VENV)/run.stamp ## Kaggle's files into data/raw; SOURCE=mirror needs no account; ARGS="--dataset fashion-mnist"
	@$(BIN)/houseprices download $(if $(SOURCE),--source $(SOURCE)) $(ARGS)

submit: $(VENV)/run.stamp ## the newest run to Kaggle, and its score; RUN=folder FILE=csv ARGS="--dry-run"
	@$(BIN)/houseprices submit $(if $(RUN),--run "$(RUN)") $(if $(FILE),--file "$(FILE)") $(ARGS)

ledger: $(VENV)/run.stamp ## CV against leaderboard, submission by submission; ARGS=--refresh
	@$(BIN)/houseprices ledger $(ARGS)

lessons: $(VENV)/run.stamp ## the textbook's lessons -> lessons/all/index.html; DATA=folder ARGS="--images folder"
	@$(BIN)/houseprices lesson all $(if $(DATA),--data "$(DATA)") $(ARGS)

predict: $(VENV)/run.stamp ## price new houses; INPUT=houses.csv RUN=folder ARGS="--output prices.csv"
	@$(BIN)/houseprices predict --input "$(INPUT)" $(if $(RUN),--run "$(RUN)") $(ARGS)

bench-score: $(VENV)/run.stamp ## the score over five fold seeds, and what each part brings; DATA=folder
	@$(BIN)/python benchmarks/score.py $(if $(DATA),--data "$(DATA)") $(ARGS)

bench-recipe: $(VENV)/run.stamp ## the score without each part of the recipe; DATA=folder
	@$(BIN)/python benchmarks/recipe.py $(if $(DATA),--data "$(DATA)") $(ARGS)

bench-estimator: $(VENV)/run.stamp ## the estimator beside scikit-learn's on three public tables
	@$(BIN)/python -W ignore benchmarks/estimator.py

ablate: $(VENV)/run.stamp ## weight decay x dropout, the whole grid; DATA=folder or RUN=folder
	@$(BIN)/houseprices ablate $(if $(RUN),--run "$(RUN)") $(if $(DATA),--data "$(DATA)") $(ARGS)

report: $(VENV)/run.stamp ## the newest run as one HTML page; RUN=folder
	@$(BIN)/houseprices report $(if $(RUN),--run "$(RUN)") $(ARGS)

explain: $(VENV)/run.stamp ## why a house got its price; ID=1461 RUN=folder
	@$(BIN)/houseprices explain --id "$(ID)" $(if $(RUN),--run "$(RUN)") $(ARGS)

compare: $(VENV)/run.stamp ## two settings on repeated halves; ARGS="--against other.toml" or "--groups.tanh.dropout 0.2"
	@$(BIN)/houseprices compare --config $(CONFIG) $(if $(DATA),--data "$(DATA)") $(ARGS)

settings: $(VENV)/run.stamp ## list every setting with its default
	@$(BIN)/houseprices settings

bench: $(VENV)/run.stamp ## seconds a member, against the textbook's loop and the CPU's limit; ARGS=--quick
	@$(BIN)/python benchmarks/speed.py $(ARGS)
	@$(BIN)/python benchmarks/scale.py $(ARGS)

test: $(VENV)/dev.stamp ## the tests; with HOUSEPRICES_REAL_DATA=folder also those on Kaggle's files
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

check: $(VENV)/dev.stamp ## format, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(VENV)/dev.stamp ## rewrite the code in the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean: ## remove the environment and caches; data, runs and submissions stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	@$(PYTHON) -m venv $(VENV)

# The stamps hold "installed for these files": a second run installs nothing.
$(VENV)/run.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV) (once, a minute or two)"
	@$(INSTALL) .
	@$(WARM_UP)
	@touch $@

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV) with the tools for development (once, a minute or two)"
	@$(INSTALL) '.[dev]'
	@$(WARM_UP)
	@touch $@ $(VENV)/run.stamp
