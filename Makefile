# Two commands do everything on a fresh machine: `make cv` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
KEPT := benchmarks/peers/kept
# pip's own environment variables hold: PIP_INDEX_URL, PIP_CACHE_DIR and so on. pip shows its progress when run in a terminal.
INSTALL := $(BIN)/python -m pip install $(if $(MAKE_TERMOUT),,--quiet) --constraint constraints.txt --editable
WARM_UP := $(BIN)/python -c 'from houseprices.engine.training import warm_up; warm_up()' # compiles the training steps

CONFIG ?= configs/default.toml
DATA ?=
RUN ?=
SEED ?=
SOURCE ?=
FILE ?=
INPUT ?=
ID ?=
ARGS ?=
# The shell reads these from the environment, "$$DATA", so that no character in them is taken for a command; ARGS is one.
export CONFIG DATA RUN SEED SOURCE FILE INPUT ID

# A variable that is misspelt would be ignored without a word.
ACCEPTED := CONFIG DATA RUN SEED SOURCE FILE INPUT ID ARGS PYTHON
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
UNKNOWN := $(filter-out $(ACCEPTED),$(GIVEN))
ifneq ($(UNKNOWN),)
$(error $(UNKNOWN)= is unknown; accepted: $(addsuffix =,$(ACCEPTED)))
endif
# need TARGET,VARIABLE,example: stops at once where the target has nothing to work on
need = $(if $(filter $1,$(MAKECMDGOALS)),$(if $($2),,$(error make $1 needs $2, such as make $1 $2=$3)))
$(call need,predict,INPUT,houses.csv)
$(call need,explain,ID,1461)

.DEFAULT_GOAL := help
.PHONY: help cv quick sample download submit ledger predict report explain verify ablate compare tune runs lessons notebook settings \
	wheels bench bench-estimator bench-score bench-ablation bench-rare bench-null bench-peers test attack check format clean

help: ##- this page
	@awk -F ':.*##-? ' '/^#### / {print substr($$0, 6) ":"} /^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2} \
		/^[a-z-]+:.*##- / {others = others " " $$1} END {print "Others, see the Makefile:" others}' $(MAKEFILE_LIST) | fold -sw 80

#### Every day

cv: $(VENV)/run.stamp ## cross-validate, price the test set; CONFIG= DATA= RUN= SEED=
	@$(BIN)/houseprices cv --config "$$CONFIG" $(if $(DATA),--data "$$DATA") $(if $(RUN),--run "$$RUN") \
		$(if $(SEED),--seed "$$SEED") $(ARGS)

quick: CONFIG = configs/quick.toml
quick: cv ## the same with one small network per fold, in seconds

download: $(VENV)/run.stamp ## Kaggle's files into data/raw; SOURCE=mirror needs no account
	@$(BIN)/houseprices download $(if $(SOURCE),--source "$$SOURCE") $(ARGS)

sample: $(VENV)/run.stamp ##- the synthetic sample; ARGS="--rows 1000 --seed 1"
	@$(BIN)/houseprices sample $(ARGS)

submit: $(VENV)/run.stamp ## send the newest run to Kaggle; RUN= FILE= ARGS=--dry-run
	@$(BIN)/houseprices submit $(if $(RUN),--run "$$RUN") $(if $(FILE),--file "$$FILE") $(ARGS)

ledger: $(VENV)/run.stamp ## cross-validation against leaderboard; ARGS=--refresh
	@$(BIN)/houseprices ledger $(ARGS)

#### Read a run

report: $(VENV)/run.stamp ## the newest run as one HTML page; RUN=folder
	@$(BIN)/houseprices report $(if $(RUN),--run "$$RUN") $(ARGS)

explain: $(VENV)/run.stamp ## why a house got its price; ID=1461 RUN=folder
	@$(BIN)/houseprices explain --id "$$ID" $(if $(RUN),--run "$$RUN") $(ARGS)

runs: $(VENV)/run.stamp ## past runs; ARGS="first second" compares two
	@$(BIN)/houseprices runs $(ARGS)

verify: $(VENV)/run.stamp ##- compute a run again, say what differs; RUN=folder
	@$(BIN)/houseprices verify $(if $(RUN),--run "$$RUN") $(if $(DATA),--data "$$DATA") $(ARGS)

ablate: $(VENV)/run.stamp ## what weight decay and dropout do; DATA= or RUN=
	@$(BIN)/houseprices ablate $(if $(RUN),--run "$$RUN") $(if $(DATA),--data "$$DATA") $(ARGS)

predict: $(VENV)/run.stamp ## price new houses; INPUT=houses.csv RUN= ARGS=
	@$(BIN)/houseprices predict --input "$$INPUT" $(if $(RUN),--run "$$RUN") $(ARGS)

#### Try other settings

settings: $(VENV)/run.stamp ## every setting: default, accepted values, meaning
	@$(BIN)/houseprices settings

compare: $(VENV)/run.stamp ## is a change better? ARGS="--models.deep.dropout 0.2"
	@$(BIN)/houseprices compare --config "$$CONFIG" $(if $(DATA),--data "$$DATA") $(ARGS)

tune: $(VENV)/run.stamp ## search for better settings; ARGS="--trials 100"
	@$(BIN)/houseprices tune --config "$$CONFIG" $(if $(DATA),--data "$$DATA") $(ARGS)

#### Learn

lessons: $(VENV)/lessons.stamp ## execute the notebooks, render pages with an index
	@cd lessons && ../$(BIN)/jupyter-nbconvert --to html --execute --template page --output-dir pages *.ipynb
	@echo lessons/pages/index.html

notebook: $(VENV)/lessons.stamp ## open the notebooks in Jupyter
	@$(BIN)/jupyter-lab lessons $(ARGS)

wheels: $(VENV)/run.stamp ##- wheels for a machine without network; ARGS=
	@$(BIN)/python notebooks/wheels.py $(ARGS)

bench: $(VENV)/run.stamp ##- seconds per network against a textbook's loop; ARGS=--quick
	@$(BIN)/python benchmarks/speed.py $(ARGS)

bench-score: $(VENV)/run.stamp ##- 10-fold cross-validation over five fold seeds
	@$(BIN)/python benchmarks/score.py $(if $(DATA),--data "$$DATA") $(ARGS)

bench-ablation: $(VENV)/run.stamp ##- the score without each part of the settings; CONFIG=
	@$(BIN)/python benchmarks/ablation.py --config "$$CONFIG" $(if $(DATA),--data "$$DATA") $(ARGS)

bench-rare: $(VENV)/run.stamp ##- rare houses held out, none of their kind trained on
	@$(BIN)/python benchmarks/rare_houses.py --config "$$CONFIG" $(if $(DATA),--data "$$DATA") $(ARGS)

bench-null: $(VENV)/run.stamp ##- changes that do nothing: how many are accepted. An hour
	@$(BIN)/python benchmarks/acceptance_nulls.py $(if $(DATA),--data "$$DATA") $(ARGS)
	@$(BIN)/python benchmarks/search_nulls.py $(if $(DATA),--data "$$DATA")

bench-peers: $(VENV)/run.stamp $(PEERS)/run.stamp ##- other people's models on the folds of cv. An hour
	@test -d $(KEPT)/ours || $(BIN)/houseprices cv $(if $(DATA),--data "$$DATA") --workers 2 --run $(KEPT)/ours
	@test -d $(KEPT)/ours-1 || $(BIN)/houseprices cv $(if $(DATA),--data "$$DATA") --workers 1 --run $(KEPT)/ours-1
	@$(PEERS)/bin/python -W ignore benchmarks/peers/run.py $(ARGS)

bench-estimator: $(VENV)/run.stamp ##- the estimator beside scikit-learn's on three tables
	@$(BIN)/python -W ignore benchmarks/estimator.py

#### Develop

test: $(VENV)/dev.stamp ## the tests; HOUSEPRICES_REAL_DATA=folder for all of them
	@$(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

attack: $(VENV)/dev.stamp ##- corrupted files, killed commands, a full disk
	@$(BIN)/python tests/attack/bad_input.py
	@$(BIN)/python tests/attack/faults.py $(ARGS)

check: $(VENV)/dev.stamp ##- format, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(VENV)/dev.stamp ##- rewrite the code in the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean: ##- remove the environment and caches, not data and runs
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis src/*.egg-info build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	@$(PYTHON) -m venv $(VENV)

# The stamps hold "installed for these files": a second run installs nothing.
$(VENV)/run.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV), once: 1.6 GB with the CPU build of torch, 5 to 6 GB where pip brings the CUDA build"
	@$(INSTALL) .
	@$(WARM_UP)
	@touch $@

$(VENV)/lessons.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV), with Jupyter for the lessons"
	@$(INSTALL) '.[lessons]'
	@$(WARM_UP)
	@touch $@ $(VENV)/run.stamp

$(VENV)/dev.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV), with the tools for development: 2.3 GB with the CPU build of torch"
	@$(INSTALL) '.[dev,cluster]'
	@$(WARM_UP)
	@touch $@ $(VENV)/run.stamp

$(PEERS)/run.stamp: benchmarks/peers/requirements.txt constraints.txt
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --constraint constraints.txt --requirement $<
	@touch $@
