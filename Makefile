# Two commands for everything: `make demo` and `make test`. The rest is for people who change the code.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test check bench setup lock room map clean

help: ## Show this list.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

demo: .venv/ready ## Set everything up, start the platform with the simulated city, print the address.
	@$(BIN)/python tools/turn.py
	@$(BIN)/kangyun demo

# Four at once on two cores: half of its time a test waits for a process, a browser or a clock.
test: .venv/ready-to-test ## Set everything up and run every test: house laws, browser, faults.
	@$(BIN)/python tools/browser.py
	@$(BIN)/python tools/turn.py
	$(BIN)/python -m pytest -n 4 --dist loadfile

check: .venv/ready-to-test ## The quick part: format, lint, types, house laws, known weaknesses of dependencies.
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/python -m pytest tests/house
	$(BIN)/python tools/audit.py

bench: .venv/ready-to-test ## Run the benchmarks and print the table that the README quotes.
	$(BIN)/python bench/run.py

setup: .venv/ready-to-test ## Install everything that developers need.

lock: ## Renew the lock files after a change of the dependencies.
	$(BIN)/python tools/lock.py

room: ## Make a new room from the template: make room NAME=support/laundry
	$(BIN)/python tools/room.py $(NAME)

map: ## Draw the floors and reactions into docs/reference.
	$(BIN)/python tools/reference.py

clean: ## Remove what set-up has made.
	rm -rf .venv node_modules

.venv/ready: requirements.lock package-lock.json pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; say which one with make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "Python's venv module is missing; on Debian: apt install python3-venv"; exit 1; }
	@echo "installing the locked Python packages ..."
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@$(PYTHON) tools/assets.py
	@touch $@

.venv/ready-to-test: .venv/ready requirements-dev.lock
	@echo "installing the locked test packages ..."
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@
