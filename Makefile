# The targets for development; `make help` lists them. A target that takes long says so while it runs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
GUEST := target/wasm32-wasip1/release/fastgate.wasm
TOOL := target/debug/fastgate-tool
EDGE := target/debug/fastgate-edge
# One set of features for everything on the host: a second set would compile many dependencies again.
NATIVE := --locked --features edge
VENV := .venv/.installed
IDP := dev/idp/node_modules/.installed
FASTLY := tests/fastly_api/node_modules/.installed
PAGE := tests/page/node_modules/.installed
APPS := target/apps/.installed
CACHE_TESTS := dev/cache-tests/node_modules/.installed
LOCAL_KEYS := local/signing-keys.json
CARGO_MUTANTS := target/tools/.cargo-mutants-27.1.0
CARGO_DENY := target/tools/.cargo-deny-0.20.2
CARGO_DENY_RUN := target/tools/bin/cargo-deny --locked
COSMIC_RAY := target/tools/.cosmic-ray-8.7.0
DIST_TOOLS := target/tools/.dist
CYCLONEDX := target/tools/.cargo-cyclonedx-0.5.9
# Panics name source files of dependencies: without the folder of this machine the guest has the same bytes everywhere.
export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS := --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo

.PHONY: help demo smoke soak cache-tests isolation outage test bench hashing guest-cost mutants mutants-python lint guest edge unit signatures opinions opinions-short fuzz fuzz-seeds fuzz-python edge-tests origin-tests doctor origin-bench origin-versions policy schema reference deny publish-tests page-tests app-tests quickstart-test wheel-tests compute-build dist reproducible clean

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: parts ## Start provider, origin and edge; print curl lines to paste; run until Ctrl-C
	@$(PYTHON) dev/demo demo

smoke: parts ## Start the same programs, send the requests, print each verdict, exit 0 or 1
	@$(PYTHON) dev/demo smoke

soak: guest edge $(VENV) $(LOCAL_KEYS) ## The gate under load for ten minutes while keys, policies and services change; SECONDS=60 for less
	cargo build --locked --release --target wasm32-wasip1 --example store
	@.venv/bin/python dev/soak --seconds $(or $(SECONDS),600) --rate $(or $(RATE),40)

cache-tests: guest edge $(CACHE_TESTS) ## An independent suite of HTTP caching through the guest; writes docs/reference/cache-tests.md (three minutes)
	@mkdir -p target/cache-tests
	cd dev/cache-tests && for route in public caller; do \
		node --no-warnings run.mjs $$route ../../target/cache-tests/$$route.json || exit 1; done
	cd dev/cache-tests && node --no-warnings page.mjs ../../target/cache-tests/public.json ../../target/cache-tests/caller.json

isolation: guest ## Two tenants, several callers and roles, one minute on the same URLs: no response reaches another audience
	cargo test $(NATIVE) --test edge -- --ignored --nocapture isolation

outage: guest ## A thousand misses at once; then the origin is down for a minute under load: stale responses, and no stampede afterwards
	cargo test $(NATIVE) --test edge -- --ignored --nocapture --test-threads 1 caching::load

test: lint unit signatures opinions-short edge-tests origin-tests publish-tests page-tests quickstart-test ## Every test: lints, unit, signatures, opinions, edge, origin, publish, page, quickstart

unit: $(VENV) ## The native tests of the library and the tool: some seconds once built
	cargo test $(NATIVE) --lib --bins --test unit --test fuzz --test model

signatures: ## Wycheproof's vectors, and 100,000 altered RSA signatures (half a minute)
	cargo test $(NATIVE) --test signatures

OPINIONS := cargo test --locked --manifest-path tests/opinions/Cargo.toml --target-dir target
opinions-short: $(VENV)
	$(OPINIONS)

opinions: $(VENV) ## 100,000 nearly valid tokens, judged by jsonwebtoken and PyJWT as well (two minutes)
	$(OPINIONS) -- --ignored

TARGET ?= path
SECONDS ?= 600
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
COVERAGE := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares -Clink-dead-code --cfg fuzzing
fuzz: ## Fuzz one TARGET for some SECONDS (fuzz/targets/mod.rs lists them); new inputs go to target/fuzz
	RUSTFLAGS="$(COVERAGE)" cargo build --locked --release --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --target $(HOST)
	@mkdir -p target/fuzz/corpus/$(TARGET) target/fuzz/found
	FUZZ_TARGET=$(TARGET) target/fuzz/$(HOST)/release/fuzz -max_total_time=$(SECONDS) -timeout=2 -max_len=8192 \
		-artifact_prefix=target/fuzz/found/$(TARGET)- target/fuzz/corpus/$(TARGET) fuzz/corpus/$(TARGET)

fuzz-python: $(VENV) ## The signed header and the policy compiler against 100,000 new inputs for each test; 10,000 new apps; 100,000 whole requests
	cd origin && FASTGATE_FUZZ=100000 ../.venv/bin/python -m pytest -q tests/test_fuzz.py
	cd origin && FASTGATE_FUZZ=10000 ../.venv/bin/python -m pytest -q tests/test_composition.py
	cargo build $(NATIVE) --example decide
	cd origin && FASTGATE_FUZZ=100000 ../.venv/bin/python -m pytest -q tests/test_whole_requests.py

fuzz-seeds: $(VENV) ## Regenerate the seeds of the fuzz targets
	.venv/bin/python fuzz/make_seeds.py

edge-tests: guest $(VENV) $(IDP) ## The real guest on Viceroy, against real origins and a real provider
	cargo test $(NATIVE) --test edge --examples -- --test-threads 4 # half of them wait, for clocks and time limits
	node tests/contract/documented.mjs

origin-tests: guest $(VENV) $(IDP) $(APPS) ## The FastAPI package, with 100,000 generated requests against the edge's matcher
	cargo build $(NATIVE) --bins --example decide
	.venv/bin/python -m pytest -q -n auto origin
	target/apps/bin/python -m pytest -q origin/tests/test_fastmcp_*.py # this environment has the package

publish-tests: guest edge $(VENV) $(FASTLY) ## Fastly's own tool publishes to a stand-in for its API; Viceroy serves what was published; the Terraform example (a minute)
	FASTGATE_GUEST=$(GUEST) FASTGATE_EDGE=$(EDGE) FASTGATE_TOOL=$(TOOL) .venv/bin/python -m pytest -q -n auto tests/publish
	.venv/bin/python -m pytest -q -rs tests/terraform

page-tests: guest edge $(VENV) $(PAGE) chromium ## The page of `fastgate dev` in Chromium, headless (CHROMIUM=path for another one; half a minute)
	CHROMIUM='$(CHROMIUM)' node --test tests/page/page.test.mjs tests/page/tools.test.mjs

app-tests: guest edge $(APPS) ## Six apps that are built like real projects: init, dev, requests through the edge; a migration (a minute)
	FASTGATE='$(or $(FASTGATE),$(CURDIR)/target/apps/bin/fastgate)' target/apps/bin/python -m pytest -q -n auto tests/apps

lint: target-wasm edge $(VENV) $(APPS) ## Formats, clippy for both targets, ruff, mypy, the committed schema and reference
	cargo fmt --check && cargo fmt --check --manifest-path tests/opinions/Cargo.toml && cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy $(NATIVE) --all-targets -- -D warnings
	cargo clippy --locked --release --target wasm32-wasip1 --lib --bins --example guest_cost --example passthrough --example passthrough_raw --example store -- -D warnings
	.venv/bin/ruff check origin wheel dev tests fuzz && .venv/bin/ruff format --check origin wheel dev tests fuzz
	cd origin && ../.venv/bin/mypy
	cd tests && MYPYPATH=publish:../origin/src ../.venv/bin/mypy --strict fastly_api publish quickstart
	cd tests && MYPYPATH=terraform ../.venv/bin/mypy --strict terraform
	cd tests/apps && ../../.venv/bin/mypy --strict --python-executable ../../target/apps/bin/python *.py
	for project in full_stack/backend fastmcp_server mcp_server routers single_page websockets_graphql; do \
		(cd tests/apps/$$project && $(CURDIR)/.venv/bin/mypy --strict --python-executable $(CURDIR)/target/apps/bin/python .) || exit 1; done
	for folder in demo soak mutants reference dist; do (cd dev/$$folder && ../../.venv/bin/mypy --strict .) || exit 1; done
	$(TOOL) schema | diff - policy.schema.json && $(TOOL) check policy.json
	node tests/contract/make_vectors.mjs --check
	.venv/bin/python dev/reference --check

# Wide arithmetic makes words of 64 bits fast, which curve25519-dalek does not use on wasm32 unless told to.
WIDE := -C target-feature=+wide-arithmetic --cfg curve25519_dalek_bits="64"
bench: guest $(VENV) ## What a request costs: writes docs/reference/costs.md and the README's figures (eight minutes once built)
	cargo build --locked --release --target wasm32-wasip1 --example passthrough --example passthrough_raw --example guest_cost
	RUSTFLAGS='$(WIDE)' cargo build --locked --release --target wasm32-wasip1 --bin fastgate --target-dir target/wide
	cargo build $(NATIVE) --bins --example bench --example guest_cost
	target/debug/examples/bench

hashing: ## How rendezvous hashing spreads keys over backends: writes docs/reference/backend-hashing.md
	cargo run $(NATIVE) -q --example hashing > docs/reference/backend-hashing.md.new && mv docs/reference/backend-hashing.md.new docs/reference/backend-hashing.md

mutants: $(VENV) $(CARGO_MUTANTS) ## Which changes of src/ no native test notices: MODULE=identity/token MINUTES=60; AGAIN=1 for the survivors
	@$(PYTHON) dev/mutants rust $(or $(MODULE),$(error say which: make mutants MODULE=identity/token, or identity, request, authorize, throttle, mint, problem)) --minutes $(or $(MINUTES),60) $(if $(AGAIN),--again)

mutants-python: $(VENV) $(COSMIC_RAY) ## The same for the package: MODULE=verify, middleware, routes.check, routes.dispatch or routes.root_path
	@$(PYTHON) dev/mutants python $(or $(MODULE),verify) --minutes $(or $(MINUTES),60)

doctor: $(VENV) ## Send forged requests to the origin of a running `make demo`; exit 0 if it refused them all
	.venv/bin/fastgate doctor --origin http://127.0.0.1:8000 --edge http://127.0.0.1:7676 --audience demo-api --path /me --edge-path /items --signing-keys $(LOCAL_KEYS)

origin-bench: $(VENV) ## What the guard costs an app, beside RS256 by PyJWT
	.venv/bin/python origin/bench/verification.py

origin-versions: ## The package's unit tests on every supported Python that is installed; says which are missing
	$(PYTHON) origin/versions.py

policy: $(VENV) ## Regenerate policy.json from policy.base.json and the demo app
	.venv/bin/fastgate policy demo.app:app --app-dir origin --base policy.base.json > policy.json.new && mv policy.json.new policy.json

schema: edge ## Regenerate policy.schema.json from the types
	$(TOOL) schema > policy.schema.json

reference: edge $(VENV) ## Regenerate the generated parts of docs/reference/
	.venv/bin/python dev/reference

deny: $(CARGO_DENY) ## Licences, sources and banned crates of all dependencies (deny.toml); DENY=advisories reads the RustSec database, too
	$(CARGO_DENY_RUN) check $(or $(DENY),licenses bans sources)
	$(CARGO_DENY_RUN) --manifest-path fuzz/Cargo.toml check $(or $(DENY),licenses bans sources)
	$(CARGO_DENY_RUN) --manifest-path tests/opinions/Cargo.toml check $(or $(DENY),licenses bans sources)

guest: target-wasm ## Build the guest and print its size
	cargo build --locked --release --target wasm32-wasip1
	@stat -c '%n: %s bytes' $(GUEST) 2>/dev/null || stat -f '%N: %z bytes' $(GUEST)

edge: ## Build the command-line tool and the local edge (Viceroy as a library; the first time takes minutes)
	cargo build $(NATIVE) --bins

quickstart-test: guest edge $(VENV) ## Follow the quickstart with the programs of this checkout
	.venv/bin/python -m pytest -q -s tests/quickstart

wheel-tests: $(VENV) ## The same, and the six apps, in empty environments with the wheels in dist/ (make dist first), without cargo and node
	FASTGATE_WHEELS=1 .venv/bin/python -m pytest -q -s tests/quickstart
	rm -rf target/wheels && $(PYTHON) -m venv target/wheels
	target/wheels/bin/python -m pip install -q -r tests/apps/requirements.txt dist/*.whl
	mkdir target/wheels/path && for each in bash cat cp curl env git grep mkdir mv printenv rm sed; do ln -s "$$(command -v $$each)" target/wheels/path/; done
	cd tests/apps && env -u PYTHONPATH PATH=$(CURDIR)/target/wheels/bin:$(CURDIR)/target/wheels/path FASTGATE=$(CURDIR)/target/wheels/bin/fastgate \
		$(CURDIR)/target/wheels/bin/python -m pytest -q -p no:cacheprovider .

dist: guest $(DIST_TOOLS) $(CYCLONEDX) ## What a release consists of, in dist/: wheels, sdist, the package for Compute, SBOM, checksums (a quarter of an hour the first time)
	@$(PYTHON) dev/dist

reproducible: ## Build the guest of the last commit twice, in two folders and with two cargo homes, and compare the bytes
	@$(PYTHON) dev/dist/reproducible.py

guest-cost: target-wasm ## What a signature, finding a route among 10 or 2,000, the body of a request to a model, and a list of tools cost in the guest, in microseconds
	cargo build --locked --release --target wasm32-wasip1 --example guest_cost
	cargo run $(NATIVE) -q --example guest_cost

compute-build: guest $(LOCAL_KEYS) ## The target that `fastly compute build` and `fastly compute serve` call

clean: ## Remove all that was built or installed
	rm -rf target .venv dev/idp/node_modules tests/fastly_api/node_modules tests/page/node_modules local bin pkg dist wheel/src/fastgate_edge/fastgate.wasm

.PHONY: parts target-wasm chromium
parts: guest edge $(VENV) $(IDP)
	@$(MAKE) --no-print-directory $(LOCAL_KEYS)

target-wasm:
	@rustup target list --installed | grep -qx wasm32-wasip1 || rustup target add wasm32-wasip1

$(VENV): origin/requirements-dev.txt origin/pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install -q -r origin/requirements-dev.txt
	.venv/bin/python -m pip install -q --no-deps -e origin
	@echo '$(CURDIR)/wheel/src' > "$$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/fastgate_edge.pth"
	@touch $@

$(IDP): dev/idp/package-lock.json
	npm ci --omit=dev --no-fund --no-audit --prefix dev/idp
	@touch $@

# Not `npm ci`: it demands an entry for the binary of every platform, and the lock has the one of Linux on x86-64.
$(FASTLY): tests/fastly_api/package-lock.json
	npm install --no-save --ignore-scripts --no-fund --no-audit --prefix tests/fastly_api
	@touch $@

$(PAGE): tests/page/package-lock.json
	npm ci --ignore-scripts --no-fund --no-audit --prefix tests/page
	@touch $@

# A browser is installed only where that cannot surprise: as root on Debian, as in CI.
chromium:
	@for each in "$(CHROMIUM)" chromium chromium-browser google-chrome google-chrome-stable; do \
		[ -n "$$each" ] && command -v "$$each" > /dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then apt-get update -q && apt-get install -qy chromium; else \
		echo 'The page tests need Chromium: install it (Debian: sudo apt-get install chromium), or say where it is: make page-tests CHROMIUM=/path/of/it'; \
		exit 1; fi

# The apps, with the package as it is in this checkout.
$(APPS): tests/apps/requirements.txt origin/pyproject.toml
	$(PYTHON) -m venv target/apps
	target/apps/bin/python -m pip install -q -r tests/apps/requirements.txt
	target/apps/bin/python -m pip install -q --no-deps -e origin
	@echo '$(CURDIR)/wheel/src' > "$$(target/apps/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/fastgate_edge.pth"
	@touch $@

$(CACHE_TESTS): dev/cache-tests/package-lock.json
	npm ci --omit=dev --ignore-scripts --no-fund --no-audit --prefix dev/cache-tests
	@touch $@

# Keys of the first version of the identity header (on P-256) are replaced.
ifneq ($(shell grep -ls P-256 $(LOCAL_KEYS)),)
.PHONY: $(LOCAL_KEYS)
endif
$(LOCAL_KEYS):
	@mkdir -p local
	@[ -x $(TOOL) ] || cargo build --locked --features tool --bin fastgate-tool # enough for publishing
	umask 077 && $(TOOL) keys new > $@.new 2> /dev/null && mv $@.new $@

# Tools of single targets; the version is in the file name.
$(CARGO_MUTANTS):
	cargo install cargo-mutants --locked --version $(lastword $(subst -, ,$@)) --root target/tools
	@touch $@

$(CARGO_DENY):
	cargo install cargo-deny --locked --version $(lastword $(subst -, ,$@)) --root target/tools
	@touch $@

$(CYCLONEDX):
	cargo install cargo-cyclonedx --locked --version $(lastword $(subst -, ,$@)) --root target/tools
	@touch $@

$(DIST_TOOLS): dev/dist/requirements.txt
	$(PYTHON) -m venv target/tools/dist
	target/tools/dist/bin/python -m pip install -q -r dev/dist/requirements.txt
	@touch $@

$(COSMIC_RAY):
	$(PYTHON) -m venv target/tools/cosmic-ray
	target/tools/cosmic-ray/bin/python -m pip install -q cosmic-ray==$(lastword $(subst -, ,$@))
	@touch $@
