# The demo, the tests and the checks, each with its own set-up. `make PYTHON=python3.12 demo` picks a Python.

PYTHON ?= python3
VENV ?= .venv

BIN = $(VENV)/bin
MANAGE = $(BIN)/python manage.py
FOR_DEMO = $(VENV)/.installed-example
FOR_DEV = $(VENV)/.installed-dev
FOR_BENCH = $(VENV)/.installed-bench
FOR_DOCS = $(VENV)/.installed-docs
AUDIT = $(VENV)/audit
# Also not the contract and the attacks: hundreds of cases each.
FAST = -p no:schemathesis $(addprefix --ignore=tests/,browser services contract hostile)
LANGUAGES = de fr es pt_BR ja ar

.PHONY: help demo seed test test-fast mutants matrix check audit messages bench docs reference screenshots format clean

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: seed ## Set up and serve the example; PORT=8000 unless told otherwise
	@$(MANAGE) runserver

seed: $(FOR_DEMO) ## Migrate, and add the demo's companies and people
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) seed

test: $(FOR_DEV) ## Run all tests, with coverage
	$(BIN)/pytest -n auto --cov --cov-report=term-missing

test-fast: $(FOR_DEV) ## Run what takes less than a minute: no browser, no services, nothing slow, no contract, no attacks
	$(BIN)/pytest -n auto -m "not services and not slow" $(FAST)

mutants: $(FOR_DEV) ## Break the code on purpose, line by line, and print how much of it the tests notice; takes half an hour
	@rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/python -m tests.mutants

# pyenv has python3.12 and its like on the path, which work as soon as they are chosen. NOX: options, such as --list.
matrix: $(FOR_DEV) ## Run the suite on each Python with its Django, and on each database
	PYENV_VERSION="$$(pyenv versions --bare 2>/dev/null | paste -sd : -)" $(BIN)/python -m nox $(NOX)

check: $(FOR_DEV) ## Lint, types, imports, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m django makemigrations --check --settings=tests.settings
	$(MANAGE) makemigrations --check

# A venv of the app alone: what tests and checks need is nobody's risk but ours. pip-audit ends with 0 where it could
# look nothing up, too; so what it has skipped is counted.
audit: | $(BIN)/pip ## Look up known vulnerabilities of what the app needs; needs the network
	@rm -rf $(AUDIT) && $(BIN)/python -m venv $(AUDIT)/app $(AUDIT)/tool
	@echo "Installing the app and pip-audit into $(AUDIT) …"
	@$(AUDIT)/app/bin/python -m pip install --quiet --disable-pip-version-check ".[encryption]"
	@$(AUDIT)/tool/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	@$(AUDIT)/app/bin/python -m pip freeze --exclude alguna_portal --exclude pip > $(AUDIT)/requirements.txt
	@cd $(AUDIT) && tool/bin/pip-audit --requirement requirements.txt --no-deps --disable-pip --progress-spinner off \
		--format json --output answer.json 2> log; \
	if [ ! -s answer.json ] || grep -q skip_reason answer.json; then \
		echo "NOT AUDITED: the feed of known vulnerabilities cannot be had from here. Run it where it can." >&2; \
	elif grep -q '"id":' answer.json; then \
		cat answer.json; echo "Vulnerabilities are known; see above." >&2; exit 1; \
	else \
		cat requirements.txt; echo "No vulnerability of these is known today."; \
	fi

messages: $(FOR_DEV) ## Find the texts to translate, and compile the translations; needs gettext
	cd alguna_portal && $(abspath $(BIN))/python -m django makemessages $(LANGUAGES:%=--locale=%) \
		--ignore='sandbox/*' --no-obsolete --no-wrap --add-location=file
	sed -i '/^"POT-Creation-Date/d' alguna_portal/locale/*/LC_MESSAGES/django.po
	cd alguna_portal && $(abspath $(BIN))/python -m django compilemessages --verbosity=0

bench: $(FOR_BENCH) ## Measure what the app costs, and write docs/benchmarks.md; takes a quarter of an hour, and a quiet machine
	$(BIN)/python -m benchmarks

docs: $(FOR_DOCS) ## Build the documentation into .docs, with warnings as errors
	$(BIN)/sphinx-build --fresh-env --fail-on-warning --keep-going --quiet --builder html docs .docs
	@echo "Open .docs/index.html"

reference: $(FOR_DEV) ## Write the parts of docs/reference that are made from the code
	PYTHONPATH=docs/_ext $(BIN)/python -m alguna_reference

screenshots: $(FOR_DEV) ## Make the pictures of the documentation anew, from those that the browser tests take
	$(BIN)/pytest -m browser -n auto --quiet -p no:randomly
	$(BIN)/python docs/screenshots.py

format: $(FOR_DEV) ## Format the code, and mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the demo's data and the caches; .venv stays
	rm -rf .demo .docs .screenshots mutants .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .nox dist
	find . -name __pycache__ -type d -not -path "./$(VENV)/*" -prune -exec rm -rf {} +

# pip, not python: where venv fails half-way, as without Debian's python3-venv, it leaves no pip.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Name another: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(FOR_DEMO): pyproject.toml | $(BIN)/pip
	@echo "Installing what the example needs into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[example]"
	@touch $@

$(FOR_DEV): pyproject.toml | $(BIN)/pip
	@echo "Installing what the tests and checks need into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@ $(FOR_DEMO) $(FOR_DOCS)  # which it includes

$(FOR_BENCH): pyproject.toml | $(BIN)/pip
	@echo "Installing what the benchmarks need into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	@touch $@

$(FOR_DOCS): pyproject.toml | $(BIN)/pip
	@echo "Installing what the documentation needs into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	@touch $@
