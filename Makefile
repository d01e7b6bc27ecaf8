# Targets for the demo, the tests, the checks and the documentation. Each installs what it needs into $(VENV).
# `make PYTHON=python3.12 demo` selects a Python.

PYTHON ?= python3
VENV ?= .venv

BIN = $(VENV)/bin
MANAGE = $(BIN)/python manage.py
FOR_DEMO = $(VENV)/.installed-example
FOR_DEV = $(VENV)/.installed-dev
FOR_BENCH = $(VENV)/.installed-bench
FOR_DOCS = $(VENV)/.installed-docs
AUDIT = $(VENV)/audit
# Contract tests and hostile requests have hundreds of cases each.
FAST = -p no:schemathesis $(addprefix --ignore=tests/,browser services contract hostile)
LANGUAGES = de fr es pt_BR ja ar

.PHONY: help demo seed test test-fast mutants matrix check audit messages bench docs reference screenshots format clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: seed ## Set up and run the example project; PORT=8000 by default
	@$(MANAGE) runserver

seed: $(FOR_DEMO) ## Migrate, and create the demo's companies and users
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) seed

test: $(FOR_DEV) ## Run all tests, with coverage
	$(BIN)/pytest -n auto --cov --cov-report=term-missing

test-fast: $(FOR_DEV) ## Run the tests that take less than a minute: no browser, services, slow, contract or hostile tests
	$(BIN)/pytest -n auto -m "not services and not slow" $(FAST)

mutants: $(FOR_DEV) ## Run the mutation tests and print their score; takes half an hour
	@rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/python -m tests.mutants

# pyenv's python3.12 and others only work if they're selected. NOX: options for nox, such as --list.
matrix: $(FOR_DEV) ## Run the tests on each Python with its Django, and on each database
	PYENV_VERSION="$$(pyenv versions --bare 2>/dev/null | paste -sd : -)" $(BIN)/python -m nox $(NOX)

check: $(FOR_DEV) ## Run the linters, the type checker and the checks for imports and migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m django makemigrations --check --settings=tests.settings
	$(MANAGE) makemigrations --check

# A venv for the app alone, because users don't install the development requirements. pip-audit also exits with 0 if it
# couldn't look up a package, so the recipe checks for skipped ones.
audit: | $(BIN)/pip ## Look up known vulnerabilities of the dependencies; needs the network
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

messages: $(FOR_DEV) ## Collect the texts to translate and compile the translations; needs gettext
	cd alguna_portal && $(abspath $(BIN))/python -m django makemessages $(LANGUAGES:%=--locale=%) \
		--ignore='sandbox/*' --no-obsolete --no-wrap --add-location=file
	sed -i '/^"POT-Creation-Date/d' alguna_portal/locale/*/LC_MESSAGES/django.po
	cd alguna_portal && $(abspath $(BIN))/python -m django compilemessages --verbosity=0

bench: $(FOR_BENCH) ## Run the benchmarks and write docs/benchmarks.md; takes 15 minutes on an idle machine
	$(BIN)/python -m benchmarks

docs: $(FOR_DOCS) ## Build the documentation in .docs, with warnings as errors
	$(BIN)/sphinx-build --fresh-env --fail-on-warning --keep-going --quiet --builder html docs .docs
	@echo "Open .docs/index.html"

reference: $(FOR_DEV) ## Write the parts of docs/reference that are generated from the code
	PYTHONPATH=docs/_ext $(BIN)/python -m alguna_reference

screenshots: $(FOR_DEV) ## Create the images of the documentation from screenshots of the browser tests
	$(BIN)/pytest -m browser -n auto --quiet -p no:randomly
	$(BIN)/python docs/screenshots.py

format: $(FOR_DEV) ## Format the code and apply ruff's fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the demo's data and all caches; keep .venv
	rm -rf .demo .docs .screenshots mutants .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .nox dist
	find . -name __pycache__ -type d -not -path "./$(VENV)/*" -prune -exec rm -rf {} +

# The target is pip, because an incomplete venv, as without Debian's python3-venv, has python but no pip.
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
	@touch $@ $(FOR_DEMO) $(FOR_DOCS)  # `dev` includes both

$(FOR_BENCH): pyproject.toml | $(BIN)/pip
	@echo "Installing what the benchmarks need into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[bench]"
	@touch $@

$(FOR_DOCS): pyproject.toml | $(BIN)/pip
	@echo "Installing what the documentation needs into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	@touch $@
