# The commands of this project; `make help` lists them.

HOST ?= 127.0.0.1
PORT ?= 8000
# An IPv6 address needs brackets before a port.
AT = $(if $(findstring :,$(HOST)),[$(patsubst [%],%,$(HOST))],$(HOST))
PYTHON := .venv/bin/python
RUN_LOCKS := requirements.txt requirements-local.txt
ALL_LOCKS := $(RUN_LOCKS) requirements-telemetry.txt requirements-dev.txt

# Tests start hundreds of processes: what Python compiles is kept beside the other files of the tests, once for all of
# them, also where the environment says that nothing is to be kept.
TESTING = env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX=$(CURDIR)/var/bytecode

# What production would say, and nothing from the developer's .env.
PRODUCTION = ENV_FILE=/dev/null DEBUG=false ALLOWED_HOSTS=chat.example.org OPENAI_API_KEY=x \
	SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(48))') \
	DATABASE_URL=postgres://chat:secret@db.example.org/chat EMAIL_URL=smtp+tls://chat:secret@mail.example.org:587

# These packages know nothing of requests.
NO_REQUESTS = conversations/llm conversations/markdown conversations/models
BAN_REQUESTS = lint.flake8-tidy-imports.banned-api = { \
	"django.http".msg = "This package knows nothing of requests.", \
	"django.shortcuts".msg = "This package knows nothing of requests." }

COMPILE = $(UV) pip compile --quiet --universal --python-version 3.12 --generate-hashes \
	--custom-compile-command "make lock" $(UPGRADE)

UV = .venv/bin/uv
NEEDS_UV = @[ -x $(UV) ] || $(PYTHON) -m pip install --quiet "$$(sed -n 's/^pinned_uv=/uv==/p' bin/setup)"

# Not of the locks: it needs a package that they leave out on purpose.
PIP_AUDIT = 2.10.1

.PHONY: help run admin test clients faults flaky stock bench pictures image check audit format lock setup setup-dev
.DEFAULT_GOAL := help

help: ## List the commands.
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1@\2/p' Makefile | awk -F@ '{ printf "%-16s %s\n", $$1, $$2 }'

run: setup .env ## Serve the chat at http://127.0.0.1:8000 (PORT=8123 and HOST=0.0.0.0 change that).
	@echo "To make an administrator: make admin, then open /admin/ there."
	@exec $(PYTHON) manage.py runserver --noreload --migrate $(AT):$(PORT)

admin: setup .env ## Make an administrator.
	@$(PYTHON) manage.py migrate --verbosity 0 --skip-checks
	@exec $(PYTHON) manage.py createsuperuser

# Three on two cores: many tests wait, for a clock or for a process that is to notice something.
test: setup-dev ## Run every test (ARGS="tests/pages/test_x.py -k name" chooses).
	@$(PYTHON) -m tests.kit.install_chromium
	@$(PYTHON) -m tests.kit.install_programs
	@exec $(TESTING) $(PYTHON) -m pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder $(ARGS)

clients: setup-dev ## Try programs of others before the site: LiteLLM, LangChain, llm, OpenAI's for JavaScript.
	@$(PYTHON) -m tests.kit.install_chromium
	@$(PYTHON) -m tests.clients.install
	@exec $(TESTING) CLIENTS=yes $(PYTHON) -m pytest $(ARGS) tests/clients

faults: setup-dev ## Break the site in every way that its tests know, for some minutes (ARGS="-k killed" chooses).
	@$(PYTHON) -m tests.kit.install_chromium
	@$(PYTHON) -m tests.kit.install_programs
	@exec $(TESTING) FAULTS=full $(PYTHON) -m pytest --numprocesses 2 --dist loadscope $(ARGS) tests/faults

flaky: setup-dev ## Run tests at awkward moments of the clock, and beside a busy core (ARGS="--moments leap" chooses).
	@$(PYTHON) -m tests.kit.install_chromium
	@$(PYTHON) -m tests.kit.install_programs
	@exec $(TESTING) $(PYTHON) -m tests.programs.flaky $(ARGS)

stock: setup-dev ## Run the tests of exports and imports on the system's own PostgreSQL, which compiles statements.
	@exec $(TESTING) $(PYTHON) -m tests.programs.stock_postgres $(ARGS)

bench: setup-dev ## Measure what one server process carries (ARGS="load --at 200" chooses).
	@$(PYTHON) -m tests.kit.install_chromium
	@exec $(PYTHON) -m benchmarks $(ARGS)

pictures: setup-dev ## Make the pictures of the README anew.
	@$(PYTHON) -m tests.kit.install_chromium
	@exec $(PYTHON) -m tests.pictures

image: setup-dev ## Build the image with buildah, where Docker is missing, and try it: migrate, serve, sign up.
	@BUILDAH=1 bin/image
	@exec $(PYTHON) -m tests.programs.image

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

audit: setup-dev ## Compare the locked packages with known vulnerabilities and newest versions (asks pypi.org).
	$(NEEDS_UV)
	@for lock in $(ALL_LOCKS); do \
		$(UV) tool run --quiet pip-audit@$(PIP_AUDIT) --disable-pip --require-hashes --requirement $$lock || exit; \
	done
	@$(UV) pip list --python $(PYTHON) --outdated

format: setup-dev ## Format the code and the templates.
	@$(PYTHON) -m ruff check --quiet --fix-only --exit-zero
	@$(PYTHON) -m ruff format --quiet
	@$(PYTHON) -m djlint templates --quiet --reformat || true

lock: setup ## Lock the packages of pyproject.toml again (UPGRADE=--upgrade takes newer versions).
	$(NEEDS_UV)
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
	@[ -w . ] || { echo "A .env for this computer is missing, and $(CURDIR) cannot be written: copy the checkout to a" \
		"folder of your own and run make there." >&2; exit 1; }
	@umask 077 && { \
		echo "# Settings of this computer. All that can be set is in .env.example."; \
		echo "DEBUG=true"; \
		echo "SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(48))')"; \
	} > .env.new && mv .env.new .env
