# The commands of this project; `make help` lists them.

HOST ?= 127.0.0.1
PORT ?= 8000
PYTHON := .venv/bin/python
RUN_LOCKS := requirements.txt requirements-local.txt
ALL_LOCKS := $(RUN_LOCKS) requirements-telemetry.txt requirements-dev.txt

# What production would say, and nothing from the developer's .env.
PRODUCTION = ENV_FILE=/dev/null DEBUG=false ALLOWED_HOSTS=chat.example.org OPENAI_API_KEY=x \
	SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(48))') \
	DATABASE_URL=postgres://chat:secret@db.example.org/chat EMAIL_URL=smtp+tls://chat:secret@mail.example.org:587

# These files know nothing of requests.
NO_REQUESTS = conversations/llm.py conversations/markdown.py conversations/models
BAN_REQUESTS = lint.flake8-tidy-imports.banned-api = { \
	"django.http".msg = "This file knows nothing of requests.", \
	"django.shortcuts".msg = "This file knows nothing of requests." }

COMPILE = .venv/bin/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
	--custom-compile-command "make lock" $(UPGRADE)

.PHONY: help run admin test faults bench pictures check format lock setup setup-dev
.DEFAULT_GOAL := help

help: ## List the commands.
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1@\2/p' Makefile | awk -F@ '{ printf "%-16s %s\n", $$1, $$2 }'

run: setup .env ## Serve the chat at http://127.0.0.1:8000 (PORT=8123 and HOST=0.0.0.0 change that).
	@echo "To make an administrator: make admin, then http://$(HOST):$(PORT)/admin/"
	@exec $(PYTHON) manage.py runserver --noreload --migrate $(HOST):$(PORT)

admin: setup .env ## Make an administrator.
	@$(PYTHON) manage.py migrate --verbosity 0 --skip-checks
	@exec $(PYTHON) manage.py createsuperuser

test: setup-dev ## Run every test (ARGS="tests/test_x.py -k name" chooses).
	@$(PYTHON) tests/install_chromium.py
	@$(PYTHON) tests/install_programs.py
	@exec $(PYTHON) -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder $(ARGS)

faults: setup-dev ## Break the site in every way that its tests know, for some minutes (ARGS="-k killed" chooses).
	@$(PYTHON) tests/install_chromium.py
	@$(PYTHON) tests/install_programs.py
	@exec env FAULTS=full $(PYTHON) -m pytest --numprocesses 2 --dist loadscope $(ARGS) tests/faults

bench: setup-dev ## Measure what one server process carries (ARGS="load --at 200" chooses).
	@$(PYTHON) tests/install_chromium.py
	@exec $(PYTHON) -m benchmarks $(ARGS)

pictures: setup-dev ## Make the pictures of the README anew.
	@$(PYTHON) tests/install_chromium.py
	@exec $(PYTHON) -m tests.pictures

check: setup-dev ## Lint, types, contracts, migrations and deployment checks.
	@$(PYTHON) -m ruff check --quiet
	@$(PYTHON) -m ruff check --quiet --isolated --select TID251 --config '$(BAN_REQUESTS)' $(NO_REQUESTS)
	@$(PYTHON) -m ruff format --quiet --check
	@$(PYTHON) -m mypy .
	@$(PYTHON) -m djlint templates --quiet --check
	@$(PYTHON) -m djlint templates --quiet --lint
	@.venv/bin/lint-imports
	@DJANGO_SETTINGS_MODULE=tests.settings $(PYTHON) manage.py makemigrations --check --dry-run
	@$(PRODUCTION) $(PYTHON) manage.py check --deploy --fail-level WARNING

format: setup-dev ## Format the code and the templates.
	@$(PYTHON) -m ruff check --quiet --fix-only --exit-zero
	@$(PYTHON) -m ruff format --quiet
	@$(PYTHON) -m djlint templates --quiet --reformat || true

lock: setup ## Lock the packages of pyproject.toml again (UPGRADE=--upgrade takes newer versions).
	@[ -x .venv/bin/uv ] || $(PYTHON) -m pip install --quiet "$$(sed -n 's/^pinned_uv=/uv==/p' bin/setup)"
	@$(COMPILE) --output-file requirements.txt pyproject.toml
	@$(COMPILE) --constraint requirements.txt --output-file requirements-local.txt --group local
	@$(COMPILE) --constraint requirements.txt --output-file requirements-telemetry.txt --group telemetry
	@$(COMPILE) --constraint requirements.txt --constraint requirements-local.txt \
		--constraint requirements-telemetry.txt --output-file requirements-dev.txt --group dev

setup: ## Make .venv with the locked packages.
	@bin/setup $(RUN_LOCKS)

setup-dev:
	@bin/setup $(ALL_LOCKS)

# Only for this computer; a secret that exists is never touched.
.env: | setup
	@umask 077 && { \
		echo "# Settings of this computer. All that can be set is in .env.example."; \
		echo "DEBUG=true"; \
		echo "SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(48))')"; \
	} > .env.new && mv .env.new .env
